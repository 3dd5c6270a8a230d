"""Authorization: whatever a call wants to do, the authorizer is asked first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from engram.errors import EngramError, PermissionDenied
from engram.model.cue import Cue
from engram.model.operations.action import Action
from engram.model.operations.requests import DescribeSpace
from engram.model.operations.table import SPACE
from engram.model.spaces import SpaceConfig
from engram.server.authorization import Authorizer, Caller
from engram.server.calls import Incoming, ServerCalls
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from engram.server.protobuf.service import METHODS, ServedMethod
from engram.wire import engram_pb2 as pb
from engram.wire.cues import encode_cue
from engram.wire.errors import decode_error
from tests.doubles.batches import DIM

CALLER = Caller("ipv4:192.0.2.1:5000", {"authorization": "Bearer 1"})
INIT = pb.ObservationRequest(init=pb.StreamInit())
RECALL = pb.StreamingRecallRequest(cue=encode_cue(Cue([1.0] * DIM)))
# What a client may begin with, for the methods in which the first message says what is wanted.
BEGINNINGS: dict[str, list[Any]] = {
    "ObserveStream": [INIT],
    "MemoryStream": [pb.MemoryStreamRequest(observe=INIT), pb.MemoryStreamRequest(recall=RECALL, recall_id=1)],
}


def cases() -> Iterator[Any]:
    for name, served in METHODS.items():
        assert not served.method.takes_stream or name in BEGINNINGS, f"say how a client begins {name}"
        for request in BEGINNINGS.get(name, [served.method.request()]):
            yield pytest.param(
                served, request, id=f"{name} {request.WhichOneof('operation') if name in BEGINNINGS else ''}"
            )


async def outcome(engine: Engine, served: ServedMethod, request: Any) -> EngramError | None:
    """Make one call, and return the error that it ends with, or that is its answer."""
    answers: list[Any] = []

    async def write(answer: Any) -> None:
        answers.append(answer)

    async def only() -> AsyncIterator[Any]:
        yield served.parse(request.SerializeToString())

    parsed = only() if served.method.takes_stream else served.parse(request.SerializeToString())
    try:
        await served.serve(ServerCalls(engine), parsed, CALLER, write)
    except EngramError as error:
        return error
    refused = [answer.recall.error for answer in answers if isinstance(answer, pb.MemoryStreamResponse)]
    return decode_error(refused[0]) if refused and refused[0].code else None


def engine_of(authorizer: Authorizer) -> Engine:
    return Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM), authorizer=authorizer))


@pytest.mark.parametrize(("served", "request_"), list(cases()))
async def test_no_method_does_anything_for_a_caller_who_is_denied(served: ServedMethod, request_: Any) -> None:
    asked: list[tuple[Caller, Action, str | None]] = []

    def deny(caller: Caller, action: Action, space: str | None) -> None:
        asked.append((caller, action, space))
        raise PermissionDenied("no")

    engine = engine_of(deny)
    error = await outcome(engine, served, request_)
    await engine.close()
    assert isinstance(error, PermissionDenied)
    assert [(caller, space in ("default", None)) for caller, _, space in asked] == [(CALLER, True)]
    assert (engine.store.commits, len(engine.sessions), len(engine.store.spaces())) == (0, 0, 1)


@pytest.mark.parametrize(("served", "request_"), list(cases()))
async def test_an_authorizer_that_fails_allows_nothing(served: ServedMethod, request_: Any) -> None:
    def fail(caller: Caller, action: Action, space: str | None) -> None:
        raise RuntimeError("a defect")

    engine = engine_of(fail)
    error = await outcome(engine, served, request_)
    await engine.close()
    assert error is not None
    assert (error.code, "defect" in error.message) == ("internal", False)


async def test_a_space_that_is_hidden_from_a_caller_is_not_told_from_one_that_is_missing() -> None:
    def deny(caller: Caller, action: Action, space: str | None) -> None:
        raise PermissionDenied("no")

    engine = engine_of(deny)
    codes = set()
    for name in ("default", "missing", "NOT VALID"):
        error = await outcome(engine, METHODS["GetSpace"], pb.GetSpaceRequest(memory_space_id=name))
        assert error is not None
        codes.add(error.code)
    await engine.close()
    assert codes == {"permission_denied"}


async def test_by_default_everyone_may_do_everything() -> None:
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM)))
    assert await outcome(engine, METHODS["GetStatus"], pb.GetStatusRequest()) is None
    await engine.close()


async def test_who_is_denied_is_not_told_what_is_wrong_with_the_request() -> None:
    def deny(caller: Caller, action: Action, space: str | None) -> None:
        raise PermissionDenied("no")

    engine = engine_of(deny)
    for name, request in (("Recall", pb.RecallRequest()), ("Forget", pb.ForgetRequest()), ("Get", pb.GetRequest())):
        assert isinstance(await outcome(engine, METHODS[name], request), PermissionDenied)
    await engine.close()


async def test_a_request_about_another_space_than_was_authorized_is_not_answered() -> None:
    """A transport that reads the space in one place and the request in another must not open a door with that."""
    engine = engine_of(lambda caller, action, space: None)
    engine.store.space("secret", dim=DIM)
    with pytest.raises(EngramError, match="internal") as refused:
        await ServerCalls(engine).answer(SPACE, Incoming("default", lambda: DescribeSpace("secret")), id, CALLER)
    await engine.close()
    assert refused.value.code == "internal"

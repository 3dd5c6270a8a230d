"""Authorization: whatever a call wants to do, the authorizer is asked first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest

from engram.errors import EngramError, InvalidInput, NotFound, PermissionDenied, Unauthenticated
from engram.model.cue import Cue
from engram.model.operations.action import Action
from engram.model.operations.naming import DropAlias, DropSpace, RenameSpace, SetAlias
from engram.model.operations.operation import Operation, Request
from engram.model.operations.requests import DescribeSpace
from engram.model.operations.table import DROP_ALIAS, DROP_SPACE, RENAME_SPACE, SET_ALIAS, SPACE
from engram.model.spaces import SpaceConfig
from engram.server.authorization import Authorizer, Caller
from engram.server.calls import Incoming, ServerCalls
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from engram.server.protobuf.service import METHODS, ServedMethod
from engram.wire import engram_pb2 as pb
from engram.wire.cues import encode_cue
from engram.wire.errors import decode_error
from tests.case_names import named
from tests.doubles.batches import DIM

CALLER = Caller("ipv4:192.0.2.1:5000", {"authorization": "Bearer 1"})
INIT = pb.ObservationRequest(init=pb.StreamInit())
RECALL = pb.StreamingRecallRequest(cue=encode_cue(Cue([1.0] * DIM)))
# What a client may begin with, for the methods in which the first message says what is wanted.
BEGINNINGS: dict[str, list[Any]] = {
    "ObserveStream": [INIT],
    "MemoryStream": [pb.MemoryStreamRequest(observe=INIT), pb.MemoryStreamRequest(recall=RECALL, recall_id=1)],
}

# What is asked of a caller who is denied everything, where that is more than one action.
ASKED: dict[str, list[Action]] = {"GetSpace": [Action.DESCRIBE, Action.OBSERVE, Action.RECALL]}


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
    assert all(caller == CALLER and space in ("default", None) for caller, _, space in asked)
    assert [action for _, action, _ in asked] == ASKED.get(served.method.name, [asked[0][1]])
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


def _same(request: Request[Any]) -> Request[Any]:
    return request


async def test_rights_are_in_spaces_whatever_they_are_called() -> None:
    asked: list[tuple[Action, str | None]] = []
    engine = engine_of(lambda caller, action, space: asked.append((action, space)))
    for name in ("notes", "other"):
        engine.store.space(name, dim=DIM)
    engine.store.naming.alias("current", "notes")
    calls = ServerCalls(engine)
    requests: list[tuple[Operation[Any], Request[Any], list[tuple[Action, str]]]] = [
        (SPACE, DescribeSpace("current"), [(Action.DESCRIBE, "notes")]),
        # The space that an alias meant, and the one that it is to mean.
        (SET_ALIAS, SetAlias("current", "other"), [(Action.NAME, "notes"), (Action.NAME, "other")]),
        (SET_ALIAS, SetAlias("another", "current"), [(Action.NAME, "another"), (Action.NAME, "other")]),
        (DROP_ALIAS, DropAlias("current"), [(Action.NAME, "other")]),
        (RENAME_SPACE, RenameSpace("notes", "renamed"), [(Action.NAME, "notes"), (Action.NAME, "renamed")]),
        (DROP_SPACE, DropSpace("renamed"), [(Action.DROP, "renamed")]),
    ]
    for operation, request, wanted in requests:
        asked.clear()
        await calls.answer(operation, Incoming(request.space_name, partial(_same, request)), str, CALLER)
        assert asked == wanted
    await engine.close()


async def test_a_name_that_nobody_asked_for_is_told_only_where_everybody_may_do_everything() -> None:
    authorizers: list[Any] = [None, lambda caller, action, space: None]
    for authorizer in authorizers:
        options: dict[str, Any] = {} if authorizer is None else {"authorizer": authorizer}
        engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM), **options))
        with pytest.raises(NotFound) as refusal:
            await ServerCalls(engine).answer(DROP_SPACE, Incoming("defaul", lambda: DropSpace("defaul")), str, CALLER)
        await engine.close()
        assert refusal.value.code == "unknown_space"
        assert ("did you mean" in refusal.value.message) is (authorizer is None)


@pytest.mark.parametrize("permitted", list(Action))
async def test_who_may_observe_or_recall_in_a_space_may_have_it_described(permitted: Action) -> None:
    def only(caller: Caller, action: Action, space: str | None) -> None:
        if action is not permitted or space != "default":
            raise PermissionDenied(f"no {action.value}")

    engine = engine_of(only)
    describe, other = (pb.GetSpaceRequest(memory_space_id=name) for name in ("default", "missing"))
    error = await outcome(engine, METHODS["GetSpace"], describe)
    hidden = [
        await outcome(engine, METHODS["GetSpace"], other),
        await outcome(engine, METHODS["GetStatus"], pb.GetStatusRequest()),
        await outcome(engine, METHODS["ListSpaces"], pb.ListSpacesRequest()),
    ]
    await engine.close()
    assert [str(error) for error in hidden] == ["no describe"] * 3
    allowed = permitted in (Action.DESCRIBE, Action.OBSERVE, Action.RECALL)
    assert error is None if allowed else str(error) == "no describe"


async def test_only_a_denial_leads_to_the_next_question() -> None:
    asked: list[Action] = []

    def unknown(caller: Caller, action: Action, space: str | None) -> None:
        asked.append(action)
        raise Unauthenticated("who are you?")

    engine = engine_of(unknown)
    assert isinstance(await outcome(engine, METHODS["GetSpace"], pb.GetSpaceRequest()), Unauthenticated)
    await engine.close()
    assert asked == [Action.DESCRIBE]


async def deny_later(caller: Caller, action: Action, space: str | None) -> None:
    raise PermissionDenied("no")


class Checker:
    """An object of which only a call is late."""

    async def __call__(self, caller: Caller, action: Action, space: str | None) -> None:
        raise PermissionDenied("no")


def late(caller: Caller, action: Action, space: str | None) -> Iterator[None]:
    yield None


class OldForm:
    """The form of the version before, which is no function."""

    def authorize(self, context: Any, action: Action, space: str) -> None:
        pass


@pytest.mark.parametrize(
    "authorizer", [None, 5, "allow", True, deny_later, partial(deny_later), Checker(), late, OldForm()], ids=named
)
def test_what_cannot_be_asked_is_refused_as_an_authorizer(authorizer: Any) -> None:
    with pytest.raises(InvalidInput, match="plain function") as caught:
        ServerOptions(None, authorizer=authorizer)
    assert (caught.value.code, caught.value.field) == ("invalid_option", "authorizer")


@pytest.mark.parametrize(
    "returned", [False, True, 0, "yes", lambda: deny_later(CALLER, Action.RECALL, None)], ids=named
)
@pytest.mark.parametrize(("served", "request_"), list(cases()))
async def test_whatever_an_authorizer_returns_refuses(
    served: ServedMethod, request_: Any, returned: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(caller: Caller, action: Action, space: str | None) -> Any:
        return returned() if callable(returned) else returned

    engine = engine_of(answer)
    errors = [await outcome(engine, served, request_) for _ in range(3)]
    await engine.close()
    assert [error.code for error in errors if error is not None] == ["permission_denied"] * 3
    assert len([record for record in caplog.records if "the authorizer returned" in record.message]) == 1

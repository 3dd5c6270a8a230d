"""Which failed calls are made again: those that may succeed a little later, and no others."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import grpc
import pytest
from grpc import aio

from engram.client.calls import Calls
from engram.client.grpc.transport import GrpcTransport
from engram.errors import (
    AlreadyExists,
    CorruptData,
    EngramError,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    OverCapacity,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from engram.model.operations.requests import Delete, TakeSnapshot
from engram.model.operations.results import SnapshotTaken
from engram.wire import engram_pb2 as pb
from engram.wire.grpc_status import status_code, status_trailers


class Server:
    """Refuses the first call, in the server's words or in gRPC's, and answers the next."""

    def __init__(self, refusal: EngramError | tuple[grpc.StatusCode, str]) -> None:
        self.calls = 0
        self._refusal = refusal

    async def method(self, request: object, *, timeout: float, metadata: object) -> pb.GetSnapshotResponse:  # noqa: ASYNC109 - gRPC's.
        self.calls += 1
        if self.calls > 1:
            return pb.GetSnapshotResponse(snapshot_sequence=7)
        nothing = aio.Metadata()
        if isinstance(self._refusal, tuple):
            code, details = self._refusal
            raise aio.AioRpcError(code, nothing, nothing, details, None)
        trailers: Any = aio.Metadata(*status_trailers(self._refusal))
        raise aio.AioRpcError(status_code(self._refusal), nothing, trailers, self._refusal.message, None)


PASSING: list[EngramError | tuple[grpc.StatusCode, str]] = [
    OverCapacity("full", code="lane_full", retry_after_ms=1),
    OverCapacity("too many wait", code="recalls_waiting"),
    Unavailable("stopping", code="shutting_down"),
    Unavailable("full", code="disk_full"),
    (grpc.StatusCode.UNAVAILABLE, "Connection refused"),
    (grpc.StatusCode.UNAVAILABLE, "Domain name not found"),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many connections"),
]
LASTING: list[EngramError | tuple[grpc.StatusCode, str]] = [
    InvalidInput("bad"),
    InvalidInput("too large", code="results_bytes"),
    NotFound("none"),
    AlreadyExists("other settings"),
    FailedPrecondition("wrong state"),
    CorruptData("broken"),
    EngramError("a defect"),
    Unauthenticated("who are you?"),
    PermissionDenied("not you"),
    Unavailable("cannot write", code="read_only"),
    Unavailable("in the way", code="in_the_way"),
    Unavailable("a sync failed", code="log_failed"),
    Unavailable("takes no writes", code="commit_failed"),
    (grpc.StatusCode.UNIMPLEMENTED, "Method not found!"),
    (grpc.StatusCode.UNAVAILABLE, "Failed parsing HTTP/2 (Expected SETTINGS frame as the first frame)"),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER: Sent message larger than max (46000000 vs. 41943040)"),
    (grpc.StatusCode.PERMISSION_DENIED, "no"),
    (grpc.StatusCode.UNAUTHENTICATED, "who?"),
    (grpc.StatusCode.INTERNAL, "broken"),
]


async def answer(server: Server) -> Any:
    """Make a call to `server` through everything that is between a client and gRPC."""
    transport: Any = GrpcTransport("localhost:1", {})
    transport._callable = lambda method: server.method
    return await Calls(transport, 60).unary(TakeSnapshot("notes"))


@pytest.mark.parametrize("refusal", PASSING, ids=str)
async def test_what_may_pass_is_tried_again(refusal: EngramError | tuple[grpc.StatusCode, str]) -> None:
    server = Server(refusal)
    assert await answer(server) == SnapshotTaken(7)
    assert server.calls == 2


@pytest.mark.parametrize("refusal", LASTING, ids=str)
async def test_what_no_waiting_cures_is_told_at_once(refusal: EngramError | tuple[grpc.StatusCode, str]) -> None:
    server = Server(refusal)
    with pytest.raises(EngramError) as told:
        await answer(server)
    assert server.calls == 1
    if isinstance(refusal, EngramError):
        assert told.value.code == refusal.code


async def test_a_dry_run_that_a_server_of_before_passed_over_is_told() -> None:
    """Such a server deletes what it finds among the ids, where there is nothing, and says how many these were."""
    asked: list[pb.ForgetRequest] = []

    async def forget(request: pb.ForgetRequest, **_: object) -> pb.ForgetResponse:
        asked.append(request)
        return pb.ForgetResponse(forgotten=len(request.ids), generation=9)

    transport: Any = GrpcTransport("localhost:1", {})
    transport._callable = lambda method: forget
    with pytest.raises(FailedPrecondition) as told:
        await Calls(transport, 60).unary(Delete("notes", ["a"], dry_run=True))
    assert told.value.code == "older_server"
    assert [list(request.ids) for request in asked] == [[]]
    assert await Calls(transport, 60).unary(Delete("notes", ["a"])) == 1


class Channel:
    """Stands for a channel of gRPC, which the calls that it makes hold."""

    def __init__(self, generation: int) -> None:
        self._generation = generation

    def unary_unary(self, *_: object) -> Any:
        return self._answer

    unary_stream = stream_stream = unary_unary

    async def close(self, grace: float | None) -> None:
        raise AssertionError("a channel of another event loop cannot be closed on this one")

    async def _answer(self, *_: object, **__: object) -> pb.GetSnapshotResponse:
        return pb.GetSnapshotResponse(snapshot_sequence=self._generation)


def test_each_event_loop_has_a_channel_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[weakref.ref[Channel]] = []

    def open_channel(target: str, options: object) -> Channel:
        channel = Channel(len(opened) + 1)
        opened.append(weakref.ref(channel))
        return channel

    monkeypatch.setattr(aio, "insecure_channel", open_channel)
    transport = GrpcTransport("localhost:1", {})

    async def ask() -> list[int]:
        return [(await transport.call(TakeSnapshot("notes"), 60)).generation for _ in range(2)]

    assert [asyncio.run(ask()) for _ in range(2)] == [[1, 1], [2, 2]]
    gc.collect()
    # Nothing holds the first one any more, and so gRPC would have closed it.
    assert [channel() is None for channel in opened] == [True, False]
    asyncio.run(transport.close())
    gc.collect()
    assert [channel() is None for channel in opened] == [True, True]

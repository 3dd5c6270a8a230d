"""An authorizer of a server over gRPC: it is asked once for each operation, and clients are told its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from engram.client import AsyncClient
from engram.errors import PermissionDenied
from engram.model.cue import Cue
from engram.model.spaces import SpaceConfig
from engram.server import Action, Authorizer, Caller, ServerOptions, run_server
from engram.wire import engram_pb2 as pb
from tests.integration.server_process import DIM, TIMEOUT_S, ObserveCall, batch_of, connect, numbered, vector_cue


@asynccontextmanager
async def serving(authorizer: Authorizer) -> AsyncIterator[str]:
    """The address of a server in this process that asks `authorizer`."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    options = ServerOptions(
        None,
        port=0,
        http=False,
        default_space=SpaceConfig("default", DIM),
        ready=ready.set_result,
        authorizer=authorizer,
    )
    server = asyncio.create_task(run_server(options, stop))
    try:
        yield await asyncio.wait_for(ready, TIMEOUT_S)
    finally:
        stop.set()
        await server


async def test_an_authorizer_sees_every_operation_once() -> None:
    seen: list[tuple[str, str | None]] = []
    callers: set[str] = set()

    def record(caller: Caller, action: Action, space: str | None) -> None:
        seen.append((action.value, space))
        callers.add(caller.peer.partition(":")[0])

    async with serving(record) as address, connect(address) as stub:
        call = ObserveCall(stub)
        await call.open()
        await call.send_batch(1, batch_of(numbered(1, 3)))
        await call.send_batch(4, batch_of(numbered(4, 3)))
        await call.accepted_up_to(6)
        await stub.Recall(pb.RecallRequest(cue=vector_cue("id-1")), timeout=TIMEOUT_S)
        await stub.Forget(pb.ForgetRequest(ids=["id-1"]), timeout=TIMEOUT_S)
        await stub.CreateSpace(pb.CreateSpaceRequest(memory_space_id="other"), timeout=TIMEOUT_S)
        await stub.GetSpace(pb.GetSpaceRequest(memory_space_id="other"), timeout=TIMEOUT_S)
        await stub.ListSpaces(pb.ListSpacesRequest(), timeout=TIMEOUT_S)
        await stub.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S)
        memory = stub.MemoryStream()
        recall = pb.StreamingRecallRequest(cue=vector_cue("id-1"))
        for number in (1, 2):
            await memory.write(pb.MemoryStreamRequest(recall=recall, recall_id=number))
            await asyncio.wait_for(memory.read(), TIMEOUT_S)
        memory.cancel()
    assert callers == {"ipv4"}
    assert seen == [
        ("observe", "default"),
        ("recall", "default"),
        ("forget", "default"),
        ("create", "other"),
        ("describe", "other"),
        ("describe", None),
        ("describe", None),
        ("recall", "default"),
        ("recall", "default"),
    ]


async def test_an_authorizer_sees_what_came_beside_the_request() -> None:
    seen: list[dict[str, str]] = []

    def record(caller: Caller, action: Action, space: str | None) -> None:
        seen.append(dict(caller.metadata))

    sent = (("authorization", "Bearer 1"), ("x-twice", "a"), ("x-twice", "b"), ("x-bytes-bin", b"\x00"))
    async with serving(record) as address, connect(address) as stub:
        await stub.GetStatus(pb.GetStatusRequest(), metadata=sent, timeout=TIMEOUT_S)
    (metadata,) = seen
    assert (metadata["authorization"], metadata["x-twice"]) == ("Bearer 1", "a, b")
    assert "x-bytes-bin" not in metadata


ALONE = {"observe": Action.OBSERVE, "recall": Action.RECALL}


async def test_clients_that_may_only_observe_or_only_recall_can_do_so() -> None:
    def only(caller: Caller, action: Action, space: str | None) -> None:
        if action is not ALONE[caller.metadata["may"]]:
            raise PermissionDenied(f"no {action.value}")

    vector = np.ones(DIM, np.float32)
    async with (
        serving(only) as address,
        AsyncClient(address, metadata={"may": "observe"}) as observing,
        AsyncClient(address, metadata={"may": "recall"}) as recalling,
    ):
        assert (await observing.observe("a", vector)).count == 1
        assert (await observing.space_status()).config.dim == DIM
        with pytest.raises(PermissionDenied):
            await observing.recall(vector)
        with pytest.raises(PermissionDenied):
            await recalling.observe("b", vector)
        assert len(await recalling.recall(vector)) == 1
        stream = recalling.recall_stream(Cue(vector, score_min=0.5), follow=True)
        assert len(await anext(stream)) == 1
        await observing.observe("b", vector)
        assert [hit.id for hit in await anext(stream)] == ["b"]
        await stream.aclose()

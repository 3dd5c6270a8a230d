"""Pressure and flow control over real gRPC: what is sent is accepted or refused, and what was accepted is there."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from engram.client import AsyncClient, StreamOptions
from engram.errors import OverCapacity
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.grpc_server import GrpcServer
from engram.server.options import ServerOptions
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.options import StoreOptions
from engram.wire import engram_pb2 as pb
from engram.wire.observations import encode_batch
from tests.integration.server_process import (
    ACCEPTED,
    CLOSED,
    DIM,
    INDEXED,
    REJECTED,
    TIMEOUT_S,
    ObserveCall,
    ServerProcess,
    batch_of,
    connect,
    numbered,
    recall_ids,
    vector_cue,
    vectors_of,
)

TAIL_MAX = 1000
BATCH = 20
NORMAL = pb.PRESSURE_LEVEL_NORMAL
OVERLOADED = pb.PRESSURE_LEVEL_OVERLOADED


@pytest.fixture
def linking(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Holds the index workers while cleared."""
    may_link = threading.Event()
    may_link.set()
    link = IndexMaintenance.link

    def gated(indexing: IndexMaintenance, *arguments: Any) -> int:
        assert may_link.wait(TIMEOUT_S)
        return link(indexing, *arguments)

    monkeypatch.setattr(IndexMaintenance, "link", gated)
    yield may_link
    may_link.set()


@asynccontextmanager
async def serving(tail_count_max: int = TAIL_MAX) -> AsyncIterator[tuple[str, Any]]:
    """A server in this process, with a small tail, and a stub connected to it."""
    options = ServerOptions(
        None,
        default_space=SpaceConfig("default", DIM),
        store=StoreOptions(tail_count_max=tail_count_max),
    )
    engine = Engine.open(options)
    server = GrpcServer(engine)
    address = f"127.0.0.1:{await server.start('127.0.0.1', 0)}"
    try:
        async with connect(address) as stub:
            yield address, stub
            await server.stop(TIMEOUT_S)
    finally:
        await engine.close()


async def level(stub: Any) -> int:
    return int((await stub.GetSpace(pb.GetSpaceRequest(), timeout=TIMEOUT_S)).pressure_level)


async def one_batch(stub: Any, name: str) -> pb.ObservationResponse:
    """Send a batch in a session of its own and return the answer."""
    call = ObserveCall(stub)
    await call.open()
    await call.send_batch(1, batch_of(numbered(1, BATCH, name)))
    while True:
        response = await call.read()
        if response.ack.status in (ACCEPTED, REJECTED):
            await call.send(pb.ObservationRequest(close=pb.StreamClose()))
            await call.end()
            return response


async def test_twice_what_fits_is_accepted_or_refused_and_the_accepted_is_there(linking: threading.Event) -> None:
    async with serving() as (_, stub):
        watcher = ObserveCall(stub)
        await watcher.open()
        linking.clear()
        names = [f"s{number}" for number in range(2 * TAIL_MAX // BATCH)]
        answers = []
        for start in range(0, len(names), 10):
            answers += await asyncio.gather(*(one_batch(stub, name) for name in names[start : start + 10]))
        accepted = [name for name, answer in zip(names, answers, strict=True) if answer.ack.status == ACCEPTED]
        refused = [answer.ack.error for answer in answers if answer.ack.status == REJECTED]
        assert len(accepted) + len(refused) == len(names)
        assert TAIL_MAX * 0.95 <= len(accepted) * BATCH <= TAIL_MAX
        for error in refused:
            assert error.code in ("overloaded", "tail_full")
            assert (error.field, error.limit) == ("tail_observations", str(TAIL_MAX))
            assert int(error.value) >= TAIL_MAX * 0.95
            assert error.retry_after_ms > 0
        assert await level(stub) == OVERLOADED
        await watcher.read_status(pb.StreamStatus.STATE_BACKPRESSURE)
        await watcher.read_status(pb.StreamStatus.STATE_OVERLOADED)
        for name in accepted[::5]:
            assert await recall_ids(stub, "default", f"{name}-1", 1) == [f"{name}-1"]
        linking.set()
        while (await watcher.read()).status.state != pb.StreamStatus.STATE_ACTIVE:
            pass
        status = await stub.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S)
        assert (status.observations_accepted, sum(lane.depth for lane in status.lanes)) == (len(accepted) * BATCH, 0)
        assert status.observations_rejected == len(refused) * BATCH
        for name in accepted:
            assert await recall_ids(stub, "default", f"{name}-{BATCH}", 1) == [f"{name}-{BATCH}"]
        assert await level(stub) < OVERLOADED
        await watcher.send_batch(1, batch_of(["after"]))
        await watcher.accepted_up_to(1)
        await watcher.close(drain=True, last_sequence=1)
        assert await level_after_drain(watcher, stub) == NORMAL


async def level_after_drain(call: ObserveCall, stub: Any) -> int:
    """The level once everything is indexed."""
    while (await call.read()).status.state != CLOSED:
        pass
    return await level(stub)


async def test_unary_calls_are_refused_by_level_with_a_retry_time(linking: threading.Event) -> None:
    async with serving() as (_, stub):
        linking.clear()
        await stub.Remember(pb.RememberRequest(batch=encode_batch(batch_of(numbered(1, 960)))), timeout=TIMEOUT_S)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Remember(pb.RememberRequest(batch=encode_batch(batch_of(["late"]))), timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        # A deletion may be what makes room.
        assert (await stub.Forget(pb.ForgetRequest(ids=["id-1"]), timeout=TIMEOUT_S)).forgotten == 1
        linking.set()


@pytest.mark.parametrize("clients", [1, 4])
async def test_clients_ride_out_an_overload_without_errors(linking: threading.Event, clients: int) -> None:
    """Linking stands still and goes on again while they stream ten times what fits."""
    async with serving() as (address, stub):
        linking.clear()

        async def stream(name: str) -> list[int]:
            async with AsyncClient(address) as client:
                futures = []
                for number in range(10 * TAIL_MAX // clients // 50):
                    ids = numbered(1 + number * 50, 50, name)
                    futures.append(await client.submit(ids, vectors_of(ids)))
                    if number == 5:
                        linking.set()
                return [(await future).count for future in futures]

        counts = await asyncio.wait_for(asyncio.gather(*(stream(f"c{n}") for n in range(clients))), 300)
        assert sum(map(sum, counts)) == 10 * TAIL_MAX
        space = await stub.GetSpace(pb.GetSpaceRequest(), timeout=TIMEOUT_S)
        assert space.live_count == space.visible_generation == 10 * TAIL_MAX


async def test_a_caller_who_asks_for_them_gets_errors(linking: threading.Event) -> None:
    async with serving() as (address, _):
        linking.clear()
        async with AsyncClient(address, options=StreamOptions(on_overload="fail")) as client:
            outcomes: list[Any] = []
            for number in range(2 * TAIL_MAX // 50):
                ids = numbered(1 + number * 50, 50)
                future = await client.submit(ids, vectors_of(ids))
                outcomes += await asyncio.gather(future, return_exceptions=True)
                if isinstance(outcomes[-1], OverCapacity):
                    break
            assert isinstance(outcomes[-1], OverCapacity)
            assert outcomes[-1].retry_after_ms
            assert sum(ack.count for ack in outcomes[:-1]) >= TAIL_MAX * 0.9
            linking.set()


async def test_acks_come_at_the_preferred_rate_and_cover_everything(stub: Any, space: str) -> None:
    call = ObserveCall(stub)
    await call.open(space)
    await call.send(pb.ObservationRequest(flow=pb.FlowControl(preferred_rate=20.0)))
    for first in range(1, 401, 4):
        await call.send_batch(first, batch_of(numbered(first, 4)))
    acks = await call.accepted_up_to(400)
    assert len(acks) < 50, "a hundred messages were acked one by one"
    assert acks[0].ack.first_sequence == 1
    for ack, following in itertools.pairwise(acks):
        assert following.ack.first_sequence == ack.ack.last_sequence + 1


async def test_a_memory_stream_observes_recalls_and_drains(server: ServerProcess, stub: Any, space: str) -> None:
    """Everything on one stream, paused in between; closing waits for INDEXED and tells the final sequence."""
    stream = stub.MemoryStream()

    async def send(**observe: Any) -> None:
        await stream.write(pb.MemoryStreamRequest(observe=pb.ObservationRequest(memory_space_id=space, **observe)))

    async def read() -> Any:
        async with asyncio.timeout(TIMEOUT_S):
            return await stream.read()

    def cue(name: str, recall_id: int) -> pb.MemoryStreamRequest:
        return pb.MemoryStreamRequest(
            recall=pb.StreamingRecallRequest(memory_space_id=space, cue=vector_cue(name), max_results=1),
            recall_id=recall_id,
        )

    await send(init=pb.StreamInit())
    assert (await read()).observe.HasField("init_ack")
    await send(sequence_number=1, batch=encode_batch(batch_of(numbered(1, 100))))
    while (await read()).observe.ack.last_sequence < 100:
        pass
    await stream.write(cue("id-42", 7))
    while not (answer := await read()).HasField("recall"):
        pass
    assert (answer.recall_id, [memory.id for memory in answer.recall.results]) == (7, ["id-42"])
    await send(flow=pb.FlowControl(action=pb.FlowControl.ACTION_PAUSE))
    while (await read()).observe.status.state != pb.StreamStatus.STATE_PAUSED:
        pass
    await stream.write(cue("id-43", 8))
    await send(sequence_number=101, batch=encode_batch(batch_of(numbered(101, 50))))
    await send(close=pb.StreamClose(drain_queue=True, last_sequence=150))
    indexed, recalled = 0, []
    while (answer := await read()).observe.status.state != CLOSED:
        if answer.HasField("recall"):
            recalled += [memory.id for memory in answer.recall.results]
        elif answer.observe.ack.status == INDEXED:
            indexed = answer.observe.ack.last_sequence
    assert (recalled, indexed, answer.observe.sequence_number) == (["id-43"], 150, 150)
    assert not answer.observe.status.HasField("error")


async def test_three_tenants_do_not_see_each_other(server: ServerProcess, stub: Any) -> None:
    """Three clients stream 5 000 observations with the same ids, each into a space of its own."""
    count, size = 5_000, 250
    names = ["tenant-a", "tenant-b", "tenant-c"]

    async def stream(name: str) -> None:
        async with AsyncClient(server.address, space=name) as client:
            await client.create_space(name, dim=DIM)
            futures = []
            for first in range(1, count + 1, size):
                vectors = vectors_of(numbered(first, size, name))
                texts = [f"{name} {number}" for number in range(first, first + size)]
                futures.append(await client.submit(numbered(first, size), vectors, texts))
            assert [(await future).last_generation for future in futures] == list(range(size, count + 1, size))

    await asyncio.gather(*map(stream, names))
    for name in names:
        async with AsyncClient(server.address, space=name) as client:
            space = await client.space_status()
            assert (space.live_count, space.visible_generation) == (count, count)
            for number in range(1, count + 1, 101):
                (hit,) = await client.recall(vectors_of([f"{name}-{number}"])[0], k=1)
                assert (hit.id, hit.content, hit.generation) == (f"id-{number}", f"{name} {number}", number)
            hits = await client.recall(vectors_of([f"{name}-1"])[0], k=1000)
            assert {hit.content.split()[0] for hit in hits} == {name}

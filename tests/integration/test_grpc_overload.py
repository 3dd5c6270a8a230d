"""A server at its limits, in this process so that the committer can be held still: everyone is told of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from engram.client.grpc.batch_encoding import divide_request
from engram.metrics import table
from engram.model.observations import make_batch
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.grpc_server import GrpcServer
from engram.server.options import ServerOptions
from engram.store.space_engine import SpaceEngine
from engram.streaming.lanes.lane import LaneLimits
from engram.streaming.recalls.short_recalls import K_MAX
from engram.streaming.sessions.connection import ConnectionLimits
from engram.wire import engram_pb2 as pb
from engram.wire.grpc_status import DETAILS_KEY
from engram.wire.observations import encode_batch
from tests.integration.server_process import (
    ACCEPTED,
    DIM,
    INDEXED,
    REJECTED,
    TIMEOUT_S,
    ObserveCall,
    batch_of,
    connect,
    numbered,
    vector_cue,
    vectors_of,
)

MIB = 1024 * 1024
SMALL_LANES = {
    Priority.HIGH: LaneLimits(100, MIB),
    Priority.NORMAL: LaneLimits(200, MIB),
    Priority.LOW: LaneLimits(100, MIB),
}


class Gate:
    """Holds the committer in front of its next commit while closed."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()

    def close(self) -> None:
        self.reached.clear()
        self.open.clear()

    async def wait_until_reached(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, TIMEOUT_S)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    commit = SpaceEngine.commit

    def gated(space: SpaceEngine, requests: Any) -> Any:
        gate.reached.set()
        assert gate.open.wait(TIMEOUT_S)
        return commit(space, requests)

    monkeypatch.setattr(SpaceEngine, "commit", gated)
    yield gate
    gate.open.set()


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[Engine, Any]]:
    """An engine with a stub connected to it."""
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM), **options))
    server = GrpcServer(engine)
    port = await server.start("127.0.0.1", 0)
    try:
        async with connect(f"127.0.0.1:{port}") as stub:
            yield engine, stub
            await server.stop(TIMEOUT_S)
    finally:
        await engine.close()


async def fill(stub: Any, gate: Gate, count: int) -> ObserveCall:
    """Hold the committer with one observation, and put `count` more into the normal lane."""
    gate.close()
    call = ObserveCall(stub)
    await call.open()
    await call.send_batch(1, batch_of(numbered(1, 1)))
    await gate.wait_until_reached()
    await call.send_batch(2, batch_of(numbered(2, count)))
    # Messages of a stream are read in order: once this one is answered, those before it have been queued.
    await call.send(pb.ObservationRequest())
    while (await call.read()).status.state != pb.StreamStatus.STATE_ERROR:
        pass
    return call


async def test_a_stream_is_told_overloaded_and_can_send_again(gate: Gate) -> None:
    async with serving(lanes=SMALL_LANES) as (_, stub):
        bystander = ObserveCall(stub)
        await bystander.open()
        call = await fill(stub, gate, 150)
        await call.send_batch(152, batch_of(numbered(152, 60)))
        rejected = await call.read_ack(REJECTED)
        error = rejected.ack.error
        assert (rejected.sequence_number, error.code, error.kind) == (152, "lane_full", "over_capacity")
        assert (error.limit, error.value) == ("200", "210")
        assert error.retry_after_ms > 0
        await call.send_batch(152, batch_of(numbered(152, 40)))
        for told in (call, bystander):
            status = (await told.read_status(pb.StreamStatus.STATE_OVERLOADED)).status
            assert (status.queue_depth, status.queue_capacity) == (190, 400)
            assert status.level == pb.PRESSURE_LEVEL_OVERLOADED
            assert status.pressure == pytest.approx(0.95)
            detail = status.error
            assert (detail.field, detail.limit, detail.value) == ("normal_lane_observations", "200", "190")
            assert detail.retry_after_ms > 0
        await call.send_batch(192, batch_of(numbered(192, 5)))
        assert (await call.read_ack(REJECTED)).ack.error.code == "overloaded"
        gate.open.set()
        for told in (call, bystander):
            await told.read_status(pb.StreamStatus.STATE_ACTIVE)
        await call.send_batch(192, batch_of(numbered(192, 5)))
        while (await call.read()).ack.last_sequence < 196:
            pass
        described = await stub.GetSpace(pb.GetSpaceRequest(), timeout=TIMEOUT_S)
        assert (described.pressure_level, described.live_count) == (pb.PRESSURE_LEVEL_NORMAL, 196)


async def test_a_tenant_that_overloads_the_lanes_is_no_reason_to_refuse_another(gate: Gate) -> None:
    async with serving(lanes=SMALL_LANES) as (_, stub):
        await stub.CreateSpace(pb.CreateSpaceRequest(memory_space_id="quiet", dimension=DIM), timeout=TIMEOUT_S)
        quiet = ObserveCall(stub)
        await quiet.open("quiet")
        hot = await fill(stub, gate, 150)
        await hot.send_batch(152, batch_of(numbered(152, 40)))
        await hot.read_status(pb.StreamStatus.STATE_OVERLOADED)
        await hot.send_batch(192, batch_of(numbered(192, 5)))
        assert (await hot.read_ack(REJECTED)).ack.error.code == "overloaded"
        await quiet.send_batch(1, batch_of(numbered(1, 5)))
        late = pb.RememberRequest(memory_space_id="quiet", batch=encode_batch(batch_of(["late"]), Priority.LOW))
        remembered = stub.Remember(late, timeout=TIMEOUT_S)
        # Answered once what was sent before it has been queued.
        await quiet.send(pb.ObservationRequest())
        told = await quiet.read()
        assert told.status.state == pb.StreamStatus.STATE_ERROR, "neither refused nor told of any pressure"
        gate.open.set()
        await quiet.accepted_up_to(5)
        assert (await remembered).last_generation == 6


async def test_a_unary_call_is_told_when_to_come_back(gate: Gate) -> None:
    async with serving(lanes=SMALL_LANES) as (engine, stub):
        call = await fill(stub, gate, 200)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Remember(pb.RememberRequest(batch=encode_batch(batch_of(["late"]))), timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        trailers: Any = caught.value.trailing_metadata()
        retry = RetryInfo()
        assert any(detail.Unpack(retry) for detail in Status.FromString(dict(trailers)[DETAILS_KEY]).details)
        assert retry.retry_delay.ToMilliseconds() > 0
        # Another lane has room, and its observation goes first.
        high = stub.Remember(pb.RememberRequest(batch=encode_batch(batch_of(["urgent"]), Priority.HIGH)))
        while engine.lanes.depth != 201:
            await stub.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S)
        gate.open.set()
        assert (await asyncio.wait_for(high, TIMEOUT_S)).last_generation == 2
        await call.accepted_up_to(201)


async def test_the_server_stops_reading_a_stream_with_too_much_in_flight(gate: Gate) -> None:
    limits = ConnectionLimits(in_flight_count_max=100)
    async with serving(connection=limits) as (engine, stub):
        gate.close()
        call = ObserveCall(stub)
        await call.open()
        sending = asyncio.create_task(send_many(call, 200))
        await gate.wait_until_reached()
        session = None
        for _ in range(100):
            status = await stub.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S)
            session = status.sessions
            assert engine.lanes.depth <= 110
        assert session == 1
        gate.open.set()
        await call.accepted_up_to(2000)
        await sending


async def send_many(call: ObserveCall, batches: int) -> None:
    for number in range(batches):
        await call.send_batch(10 * number + 1, batch_of(numbered(10 * number + 1, 10)))


async def test_recalls_go_on_while_commits_stand_still(gate: Gate) -> None:
    async with serving() as (_, stub):
        await stub.Remember(pb.RememberRequest(batch=encode_batch(batch_of(["early"]))), timeout=TIMEOUT_S)
        call = await fill(stub, gate, 10)
        answer = await stub.Recall(pb.RecallRequest(cue=vector_cue("early")), timeout=TIMEOUT_S)
        assert [memory.id for memory in answer.results] == ["early"]
        gate.open.set()
        await call.accepted_up_to(11)


async def test_a_server_in_memory_is_full_when_its_log_is() -> None:
    """The log is the larger part by far, and here nothing else of it is on a disk."""
    async with serving(memory_bytes_max=4 * MIB) as (engine, stub):
        space = engine.store.space("default", create=False)
        texts = make_batch(ids=numbered(1, 100), vectors=vectors_of(numbered(1, 100)), contents=["x" * 50_000] * 100)
        remember = pb.RememberRequest(batch=encode_batch(texts, Priority.HIGH))
        await stub.Remember(remember, timeout=TIMEOUT_S)
        assert space.index_bytes < 4 * MIB < space.stats().log_bytes
        engine.tick()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Remember(remember, timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "memory_bytes" in str(caught.value.details())


async def test_too_many_sessions_end_the_call_with_a_retry_time() -> None:
    async with serving(sessions_max=2) as (_, stub):
        for _ in range(2):
            await ObserveCall(stub).open()
        refused = ObserveCall(stub)
        await refused.send(pb.ObservationRequest(init=pb.StreamInit()))
        code, details = await refused.end()
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "2 sessions" in details


async def test_too_many_recalls_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, release = threading.Semaphore(0), threading.Event()
    answer = SpaceEngine.answer

    def slow(space: SpaceEngine, *arguments: Any, **keywords: Any) -> Any:
        entered.release()
        assert release.wait(TIMEOUT_S)
        return answer(space, *arguments, **keywords)

    monkeypatch.setattr(SpaceEngine, "answer", slow)
    async with serving(recall_threads=1, recalls_waiting_max=3) as (engine, stub):
        await stub.Remember(pb.RememberRequest(batch=encode_batch(batch_of(["early"]))), timeout=TIMEOUT_S)
        # Not short, so threads answer it.
        request = pb.RecallRequest(cue=vector_cue("early"), max_results=K_MAX + 1)
        calls = [stub.Recall(request, timeout=TIMEOUT_S) for _ in range(4)]
        ended = [asyncio.create_task(call.code()) for call in calls]
        first, _ = await asyncio.wait(ended, timeout=TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result() for task in first} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        release.set()
        codes = await asyncio.gather(*ended)
        assert sorted(code.name for code in codes) == ["OK", "OK", "OK", "RESOURCE_EXHAUSTED"]
        assert engine.counters.value(table.RECALLS) == 3


async def test_a_stop_waits_for_what_is_in_flight(gate: Gate) -> None:
    async with serving() as (engine, stub):
        call = await fill(stub, gate, 50)
        stopping = asyncio.create_task(asyncio.to_thread(gate.open.wait, TIMEOUT_S))
        engine.stopping.set()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Remember(pb.RememberRequest(batch=encode_batch(batch_of(["late"]))), timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        gate.open.set()
        assert await stopping
        acked = 0
        while (response := await call.read()).HasField("ack"):
            if response.ack.status == ACCEPTED:
                acked = response.sequence_number
        assert acked == 51
        assert (response.status.state, response.sequence_number) == (pb.StreamStatus.STATE_CLOSED, 51)
        assert (await call.end())[0] is grpc.StatusCode.UNAVAILABLE


async def test_the_room_for_a_large_request_is_free_once_it_is_taken() -> None:
    """An open stream keeps none: neither for what was stored, nor for what was no request."""
    async with serving() as (engine, stub):
        call = ObserveCall(stub)
        part_bytes = (await call.open()).capabilities.part_bytes_max
        texts = make_batch(ids=numbered(1, 30), vectors=vectors_of(numbered(1, 30)), contents=["x" * 100_000] * 30)
        request = pb.ObservationRequest(sequence_number=1, batch=encode_batch(texts, Priority.NORMAL))
        for message in divide_request(request.SerializeToString(), part_bytes):
            await call.send(pb.ObservationRequest.FromString(message))
        await call.accepted_up_to(30)
        assert engine.receiving.nbytes == 0
        for _ in range(2):
            part = pb.MessagePart(message_bytes=2 * part_bytes, data=b"\xff" * part_bytes)
            await call.send(pb.ObservationRequest(part=part))
            part.ClearField("message_bytes")
            await call.send(pb.ObservationRequest(part=part))
            while (response := await call.read()).status.error.code != "malformed_message":
                assert response.ack.status == INDEXED
            assert engine.receiving.nbytes == 0

"""The end of a server, gentle or not, and what is there when it comes back."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from engram.wire import engram_pb2 as pb
from tests.integration.server_process import (
    ACCEPTED,
    CLOSED,
    DIM,
    TIMEOUT_S,
    ObserveCall,
    ServerProcess,
    batch_of,
    connect,
    numbered,
    recall_ids,
    vector_cue,
)


async def create(stub: Any) -> None:
    await stub.CreateSpace(pb.CreateSpaceRequest(memory_space_id="main", dimension=DIM), timeout=TIMEOUT_S)


async def test_everything_acked_is_there_after_a_kill(tmp_path: Path) -> None:
    """Three times: send pipelined, kill in the middle, come back, compare with the acks, resume."""
    session, sent_up_to, acked = "", 0, 0
    for _ in range(3):
        server = ServerProcess(tmp_path / "data")
        async with connect(server.address) as stub:
            await create(stub)
            call = ObserveCall(stub)
            opened = await call.open("main", session)
            session = call.session_id
            durable = opened.initial_sequence
            assert acked <= durable <= sent_up_to
            if durable:
                for number in (1, durable // 2 + 1, durable):
                    assert await recall_ids(stub, "main", f"id-{number}", 1) == [f"id-{number}"]
            described = await stub.GetSpace(pb.GetSpaceRequest(memory_space_id="main"), timeout=TIMEOUT_S)
            assert described.durable_generation == described.live_count == durable
            sent_up_to = durable
            for _ in range(40):
                await call.send_batch(sent_up_to + 1, batch_of(numbered(sent_up_to + 1, 25)))
                sent_up_to += 25
                if sent_up_to == durable + 500:
                    acked = (await call.read_ack(ACCEPTED)).sequence_number
            server.stop(signal.SIGKILL)
            # Acks that were on their way count too.
            while True:
                try:
                    response = await call.read_or_end()
                except grpc.aio.AioRpcError:
                    break
                if response is None:
                    break
                if response.ack.status == ACCEPTED:
                    acked = max(acked, response.sequence_number)
    assert acked > 0


async def test_a_session_goes_on_after_a_restart_with_its_duplicates(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    async with connect(server.address) as stub:
        await create(stub)
        call = ObserveCall(stub)
        await call.open("main")
        await call.send_batch(1, batch_of(numbered(1, 10)))
        await call.accepted_up_to(10)
        session = call.session_id
    server.stop(signal.SIGKILL)
    server = ServerProcess(tmp_path / "data")
    async with connect(server.address) as stub:
        call = ObserveCall(stub)
        assert (await call.open("main", session)).initial_sequence == 10
        await call.send_batch(6, batch_of(numbered(6, 5)))
        repeated = await call.read_ack(ACCEPTED)
        assert (repeated.ack.first_sequence, repeated.ack.last_sequence) == (6, 10)
        assert (repeated.ack.first_generation, repeated.ack.last_generation) == (6, 10), "as in the original ack"
        await call.send_batch(6, batch_of(numbered(6, 10)))
        assert (await call.accepted_up_to(15))[-1].ack.last_generation == 15
        described = await stub.GetSpace(pb.GetSpaceRequest(memory_space_id="main"), timeout=TIMEOUT_S)
        assert described.live_count == 15
        await call.close(drain=True, last_sequence=15)
        await call.read_status(CLOSED)
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_gentle_stop_loses_nothing_and_tells_everyone(tmp_path: Path, number: int) -> None:
    server = ServerProcess(tmp_path / "data")
    async with connect(server.address) as stub:
        await create(stub)
        busy, quiet, memory = ObserveCall(stub), ObserveCall(stub), stub.MemoryStream()
        await busy.open("main", "busy")
        await quiet.open("main", "quiet")
        await memory.write(pb.MemoryStreamRequest(recall=pb.StreamingRecallRequest(cue=vector_cue("x", 768))))
        assert (await asyncio.wait_for(memory.read(), TIMEOUT_S)).HasField("recall")
        async with grpc.aio.insecure_channel(server.address) as channel:
            watch: Any = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert (await asyncio.wait_for(watch.read(), TIMEOUT_S)).status == health_pb2.HealthCheckResponse.SERVING
            for first in range(1, 2001, 100):
                await busy.send_batch(first, batch_of(numbered(first, 100)))
            await busy.read_ack(ACCEPTED)
            server.process.send_signal(number)
            health = await asyncio.wait_for(watch.read(), TIMEOUT_S)
            assert health.status == health_pb2.HealthCheckResponse.NOT_SERVING
        acked = 0
        while True:
            response = await busy.read()
            if response.HasField("status"):
                break
            if response.ack.status == ACCEPTED:
                acked = response.sequence_number
        assert response.status.state == CLOSED
        assert response.status.error.code == "shutting_down"
        assert response.sequence_number >= acked
        final = response.sequence_number
        assert (await busy.end())[0] is grpc.StatusCode.UNAVAILABLE
        await quiet.read_status(CLOSED)
        assert (await quiet.end())[0] is grpc.StatusCode.UNAVAILABLE
        assert await asyncio.wait_for(memory.code(), TIMEOUT_S) is grpc.StatusCode.UNAVAILABLE
        assert server.wait() == 0
    assert "Traceback" not in server.log(), server.log()
    server = ServerProcess(tmp_path / "data")
    async with connect(server.address) as stub:
        call = ObserveCall(stub)
        assert (await call.open("main", "busy")).initial_sequence == final
        assert await recall_ids(stub, "main", f"id-{final}", 1) == [f"id-{final}"]
    assert server.stop() == 0

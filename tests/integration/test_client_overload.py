"""Clients of a server whose queue is far too small: everything is stored all the same, and once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engram.client import AsyncClient
from engram.model.priority import Priority
from engram.server import ServerOptions, run_server
from engram.streaming.lanes.lane import DEFAULT_LIMITS, LaneLimits
from tests.integration.server_process import DIM, TIMEOUT_S, ServerProcess, numbered, vectors_of

CLIENTS = 6
BATCHES = 40
BATCH = 6


async def stream(address: str, name: str) -> list[int]:
    """Observe without waiting for answers; return the sequence numbers that were acknowledged."""
    async with AsyncClient(address, space="main") as client:
        futures = []
        for batch in range(BATCHES):
            ids = numbered(batch * BATCH, BATCH, name)
            futures.append(await client.submit(ids, vectors_of(ids)))
        await client.flush(TIMEOUT_S)
        return [(await future).last_sequence for future in futures]


async def test_a_full_queue_delays_but_loses_nothing(tmp_path: Path) -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    lanes = {**DEFAULT_LIMITS, Priority.NORMAL: LaneLimits(BATCH + 2, 10**6)}
    options = ServerOptions(data=tmp_path / "data", port=0, http=False, lanes=lanes, ready=ready.set_result)
    server = asyncio.ensure_future(run_server(options, stop))
    try:
        address = await asyncio.wait_for(ready, TIMEOUT_S)
        async with AsyncClient(address, space="main") as client:
            await client.create_space("main", dim=DIM)
            streams = (stream(address, f"client-{number}") for number in range(CLIENTS))
            acked = await asyncio.wait_for(asyncio.gather(*streams), 300)
            assert acked == [list(range(BATCH, BATCHES * BATCH + 1, BATCH))] * CLIENTS
            space, status = await client.space_status(), await client.status()
        assert space.live_count == space.visible_generation == CLIENTS * BATCHES * BATCH
        assert status.observations_rejected > 0, "the queue was never full, so this tested nothing"
    finally:
        stop.set()
        await asyncio.wait_for(server, TIMEOUT_S)


@pytest.mark.parametrize("count", [1, 3])
async def test_clients_of_one_loop_have_sessions_of_their_own(count: int, space: str, server: ServerProcess) -> None:
    clients = [AsyncClient(server.address, space=space) for _ in range(count)]
    for client in clients:
        await client.connect()
    assert len({client.session_id for client in clients}) == count
    for client in clients:
        await client.close()

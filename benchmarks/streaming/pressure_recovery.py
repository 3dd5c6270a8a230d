"""How soon the server is back to NORMAL after a load that was too much drops.

    python -m benchmarks pressure-recovery

A server in a process of its own, with its default limits. Clients send as much as they can, until linking is so far
behind that the server has been OVERLOADED; then they drop to a load that it can carry, though what they have in their
buffers still comes. Measured from there: when a stream of the space is told ACTIVE for good, when the level is NORMAL,
and when hardly anything waits to be linked. All that was sent is accepted in the end, or the benchmark fails.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
from numpy.typing import NDArray

from benchmarks.streaming.pressure import BATCH, Load, Watch
from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.report import publish
from benchmarks.support.server import SPACE, server
from engram.client import AsyncClient
from engram.wire import engram_pb2 as pb
from engram.wire.engram_pb2_grpc import EngramServiceStub

_NORMAL: Final = pb.PRESSURE_LEVEL_NORMAL
_OVERLOADED: Final = pb.StreamStatus.STATE_OVERLOADED
_ACTIVE: Final = pb.StreamStatus.STATE_ACTIVE
_TAIL_SHORT: Final = 10_000
# Recovery counts as failed after so long.
_RECOVERY_S_MAX: Final = 60.0


@dataclass(slots=True)
class Recovery:
    """Seconds from the moment the load dropped."""

    active_s: float = 0.0
    normal_s: float = 0.0
    empty_s: float = 0.0


async def overload(load: Load, watch: Watch, seconds: float) -> None:
    """Send flat out for so long, and on until the server has been OVERLOADED and is still pressed."""
    begin = time.perf_counter()
    pressed = False
    while time.perf_counter() < begin + seconds or not pressed:
        await load.send(BATCH)
        states = [state for _, state in watch.told]
        pressed = _OVERLOADED in states and states[-1] != _ACTIVE
        if time.perf_counter() > begin + seconds + _RECOVERY_S_MAX:
            raise SystemExit("the server never became OVERLOADED; try more --clients")


async def steady(load: Load, rate: int, round_count: int, stop: asyncio.Event) -> int:
    """Go on at a rate the server can carry; return how many observations that were."""
    begin, sent = time.perf_counter(), 0
    while not stop.is_set():
        await load.send(1)
        sent += round_count
        await asyncio.sleep(max(0.0, begin + sent / rate - time.perf_counter()))
    return sent


async def recovered(stub: Any, watch: Watch) -> Recovery:
    """Look at the server until it is back, and tell how long each part took."""
    begin, recovery = time.perf_counter(), Recovery()
    while not (recovery.normal_s and recovery.empty_s and recovery.active_s):
        space = await stub.GetSpace(pb.GetSpaceRequest(memory_space_id=SPACE))
        now_s = time.perf_counter() - begin
        if now_s > _RECOVERY_S_MAX:
            raise SystemExit(f"no recovery within {_RECOVERY_S_MAX:g} s: {recovery}")
        if not recovery.normal_s and space.pressure_level == _NORMAL:
            recovery.normal_s = now_s
        if not recovery.empty_s and space.visible_generation - space.indexed_generation < _TAIL_SHORT:
            recovery.empty_s = now_s
        if recovery.normal_s and watch.told[-1][1] == _ACTIVE:
            recovery.active_s = max(0.001, watch.told[-1][0] - begin)
        await asyncio.sleep(0.005)
    return recovery


async def measure(address: str, rows: NDArray[np.float32], arguments: argparse.Namespace) -> dict[str, Any]:
    """One overload and what follows."""
    clients = [AsyncClient(address, space=SPACE) for _ in range(arguments.clients)]
    await clients[0].create_space(SPACE, dim=rows.shape[1])
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = EngramServiceStub(channel)
        call = stub.ObserveStream()
        await call.write(pb.ObservationRequest(memory_space_id=SPACE, init=pb.StreamInit()))
        watch, load, stop = Watch(), Load(clients, rows), asyncio.Event()
        following = asyncio.create_task(watch.follow(call))
        await overload(load, watch, arguments.seconds)
        space = await stub.GetSpace(pb.GetSpaceRequest(memory_space_id=SPACE))
        sent = BATCH * len(load.futures)
        going_on = asyncio.create_task(steady(load, arguments.rate, BATCH * len(clients), stop))
        recovery = await recovered(stub, watch)
        stop.set()
        sent += await going_on
        if await load.answered() != sent:
            raise SystemExit("not everything that was sent was accepted")
        rejected = (await stub.GetStatus(pb.GetStatusRequest())).observations_rejected
        call.cancel()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    for client in clients:
        await client.close()
    return {
        "sent": sent,
        "refused and sent again %": 100 * rejected / sent,
        "waiting at the drop": space.visible_generation - space.indexed_generation,
        "pressure at the drop %": round(100 * space.pressure),
        "told ACTIVE after s": recovery.active_s,
        "NORMAL after s": recovery.normal_s,
        "tail short after s": recovery.empty_s,
    }


def run(dim: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """A row of the table: a fresh server and vectors of this dimension."""
    rows = synthetic_rows(arguments.distinct, dim)
    scratch = Path(tempfile.mkdtemp(prefix="engram-bench-", dir=arguments.data))
    try:
        with server(scratch / "store") as (_, address):
            return {"dim": dim, **asyncio.run(measure(address, rows, arguments))}
    finally:
        shutil.rmtree(scratch)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks pressure-recovery", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="how long to overload at least (default 8)")
    parser.add_argument("--rate", type=int, default=5_000, help="observations/s that go on afterwards (default 5000)")
    parser.add_argument("--dims", type=int, nargs="+", default=[384, 768], help="dimensions (default 384 768)")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each (default 1)")
    parser.add_argument("--clients", type=int, default=2, help="clients (default 2)")
    parser.add_argument("--distinct", type=int, default=20_000, help="different vectors, repeated (default 20000)")
    parser.add_argument("--data", type=Path, help="folder on the disk to measure; default: a temporary one")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    settings = {
        "overload_s": arguments.seconds,
        "rate_after": arguments.rate,
        "clients": arguments.clients,
        "batch": BATCH,
        "cores": os.cpu_count(),
    }
    results = [run(dim, arguments) for dim in arguments.dims for _ in range(arguments.repeat)]
    publish("recovery from overload", settings, results, arguments.json)


if __name__ == "__main__":
    main()

"""What thresholds of pressure cost and catch: the same load under several of them.

    python -m benchmarks pressure

Each run has two phases. Bursts that the tail has room for: whoever is slowed down here is slowed down for nothing, a
false alarm. Then far more than linking can keep up with: an overload of which the clients were not warned in time to do
anything about it counts as missed. The clients are the library's, which slow down and retry by themselves.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.report import publish
from benchmarks.support.server import SPACE, server
from engram.client import AsyncClient
from engram.wire import engram_pb2 as pb
from engram.wire.engram_pb2_grpc import EngramServiceStub

BATCH: Final = 256
# A warning is in time if a client can act on it: one round trip under load.
WARNING_S_MIN: Final = 0.05
# Entered and left at; the last has no band between the two.
THRESHOLDS: Final = (
    ("50/80/95", "40/70/90"),
    ("30/60/85", "20/50/75"),
    ("50/90/98", "40/85/96"),
    ("50/80/95", "49/79/94"),
)
_BACKPRESSURE: Final = pb.StreamStatus.STATE_BACKPRESSURE
_OVERLOADED: Final = pb.StreamStatus.STATE_OVERLOADED
_ACTIVE: Final = pb.StreamStatus.STATE_ACTIVE


@dataclass(slots=True)
class Watch:
    """The statuses that a stream of the space was told, and when."""

    told: list[tuple[float, int]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, call: Any) -> None:
        """Note every status until the call ends."""
        async for response in call:
            if response.HasField("status"):
                self.told.append((time.perf_counter(), response.status.state))
                self.changed.set()

    def alarms(self, since: int) -> int:
        """How often ACTIVE turned into something else."""
        states = [_ACTIVE, *(state for _, state in self.told[since:])]
        return sum(before == _ACTIVE != after for before, after in itertools.pairwise(states))

    def overloads(self, since: int) -> tuple[int, int]:
        """How often it came to an overload, and how often without a warning in time."""
        total = missed = 0
        for position in range(since, len(self.told)):
            at, state = self.told[position]
            if state != _OVERLOADED:
                continue
            total += 1
            warned = position > since and self.told[position - 1][1] == _BACKPRESSURE
            missed += not warned or at - self.told[position - 1][0] < WARNING_S_MIN
        return total, missed


class Load:
    """Clients that send into one space."""

    def __init__(self, clients: list[AsyncClient], rows: NDArray[np.float32]) -> None:
        self._clients = clients
        self._rows = rows
        self._sent = 0
        self.futures: list[asyncio.Future[Any]] = []

    async def send(self, count: int, until: float = float("inf")) -> None:
        """Send `count` observations, flat out, in turns; less if the time is over before."""
        end = self._sent + count
        while self._sent < end and time.perf_counter() < until:
            for client in self._clients:
                start = self._sent % (len(self._rows) - BATCH)
                ids = [f"{self._sent + row}" for row in range(BATCH)]
                self.futures.append(await client.submit(ids, self._rows[start : start + BATCH]))
                self._sent += BATCH

    async def answered(self) -> int:
        """Wait for every answer; how many observations they are."""
        futures, self.futures = self.futures, []
        return sum(ack.count for ack in await asyncio.gather(*futures))


async def indexed(client: AsyncClient) -> None:
    """Wait until the tail is empty."""
    while True:
        status = await client.space_status()
        if status.indexed_generation >= status.visible_generation:
            return
        await asyncio.sleep(0.02)


async def measure(address: str, rows: NDArray[np.float32], arguments: argparse.Namespace) -> dict[str, Any]:
    """Both phases against one server."""
    clients = [AsyncClient(address, space=SPACE) for _ in range(arguments.clients)]
    await clients[0].create_space(SPACE, dim=arguments.dim)
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = EngramServiceStub(channel)
        call = stub.ObserveStream()
        await call.write(pb.ObservationRequest(memory_space_id=SPACE, init=pb.StreamInit()))
        watch, load = Watch(), Load(clients, rows)
        following = asyncio.create_task(watch.follow(call))
        for _ in range(arguments.bursts):
            await load.send(arguments.tail * arguments.burst_percent // 100)
            await load.answered()
            await indexed(clients[0])
        false_alarms, start = watch.alarms(0), len(watch.told)
        rejected = (await clients[0].status()).observations_rejected
        begin = time.perf_counter()
        await load.send(10**9, begin + arguments.seconds)
        accepted = await load.answered()
        elapsed = time.perf_counter() - begin
        rejected = (await clients[0].status()).observations_rejected - rejected
        overloads, missed = watch.overloads(start)
        alarms = watch.alarms(start)
        await indexed(clients[0])
        call.cancel()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    for client in clients:
        await client.close()
    return {
        "false alarms": false_alarms,
        "observations/s": accepted / elapsed,
        "alarms": alarms,
        "overloads": overloads,
        "missed": missed,
        "refused and sent again": rejected / accepted,
    }


def run(enter: str, leave: str, rows: NDArray[np.float32], arguments: argparse.Namespace) -> dict[str, Any]:
    """A row of the table: a fresh server with these thresholds."""
    scratch = Path(tempfile.mkdtemp(prefix="engram-bench-", dir=arguments.data))
    options = ["--pressure-enter", enter, "--pressure-leave", leave, "--tail-count-max", str(arguments.tail)]
    try:
        with server(scratch / "store", *options) as (_, address):
            return {"enter %": enter, "leave %": leave, **asyncio.run(measure(address, rows, arguments))}
    finally:
        shutil.rmtree(scratch)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks pressure", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=12.0, help="how long to overload (default 12)")
    parser.add_argument("--bursts", type=int, default=5, help="bursts before (default 5)")
    parser.add_argument("--burst-percent", type=int, default=75, help="size of a burst, in percent of the tail (75)")
    parser.add_argument("--tail", type=int, default=50_000, help="limit of the tail (default 50000)")
    parser.add_argument("--clients", type=int, default=2, help="clients (default 2)")
    parser.add_argument("--dim", type=int, default=384, help="dimension (default 384)")
    parser.add_argument("--distinct", type=int, default=50_000, help="different vectors, repeated (default 50000)")
    parser.add_argument("--data", type=Path, help="folder on the disk to measure; default: a temporary one")
    parser.add_argument("--json", type=Path, help="save the result there")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    arguments = parse()
    rows = synthetic_rows(arguments.distinct, arguments.dim)
    results = [run(enter, leave, rows, arguments) for enter, leave in THRESHOLDS]
    settings = {
        "tail_count_max": arguments.tail,
        "bursts": arguments.bursts,
        "burst_percent": arguments.burst_percent,
        "overload_s": arguments.seconds,
        "clients": arguments.clients,
        "batch": BATCH,
        "dim": arguments.dim,
        "cores": os.cpu_count(),
    }
    publish(
        f"pressure thresholds, tail of {arguments.tail:,}, {os.cpu_count()} cores", settings, results, arguments.json
    )


if __name__ == "__main__":
    main()

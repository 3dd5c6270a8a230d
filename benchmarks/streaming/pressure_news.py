"""How soon the streams of a space hear that its pressure changed.

    python -m benchmarks pressure-news

A server in this process, so that both ends have one clock. Calls fill the tail beyond the threshold of Critical and
linking empties it again, while other streams of the space are open. Measured is the time from the admission, or from
the move of the watermark, that crosses the threshold to the arrival of the status at each stream.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from benchmarks.support.report import percentiles, publish
from engram.model.observations import ObservationBatch, make_batch
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.grpc_server import GrpcServer
from engram.server.options import ServerOptions
from engram.server.process_tuning import tune_interpreter
from engram.store.commit.tail_budget import TailBudget
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.options import StoreOptions
from engram.wire import engram_pb2 as pb
from engram.wire.engram_pb2_grpc import EngramServiceStub
from engram.wire.observations import encode_batch

DIM = 64
TAIL_MAX = 10_000


@dataclass(slots=True)
class Moments:
    """When the tail rose to 80 % of its limit, and when it fell below 70 %."""

    rose: float = 0.0
    fell: float = 0.0
    arrivals: list[tuple[float, int]] = field(default_factory=list)


def observe_tail(moments: Moments, may_link: threading.Event) -> None:
    """Note the moments in the code where they come to pass."""
    reserve, moved, link = TailBudget.reserve, TailBudget.moved, IndexMaintenance.link

    def noting_reserve(tail: TailBudget, count: int) -> None:
        before = tail.count
        reserve(tail, count)
        if before < 0.8 * TAIL_MAX <= tail.count:
            moments.rose = time.perf_counter()

    def noting_moved(tail: TailBudget, indexed_generation: int) -> None:
        if tail.count < 0.7 * TAIL_MAX and not moments.fell:
            moments.fell = time.perf_counter()
        moved(tail, indexed_generation)

    def gated_link(indexing: IndexMaintenance, *arguments: Any) -> int:
        may_link.wait()
        return link(indexing, *arguments)

    changes = (
        (TailBudget, "reserve", noting_reserve),
        (TailBudget, "moved", noting_moved),
        (IndexMaintenance, "link", gated_link),
    )
    for kind, name, function in changes:
        setattr(kind, name, function)


async def follow(stub: Any, moments: Moments, opened: asyncio.Semaphore) -> None:
    """One stream: note when it is told of pressure."""
    call = stub.ObserveStream()
    await call.write(pb.ObservationRequest(init=pb.StreamInit()))
    async for response in call:
        arrived = time.perf_counter()
        if response.HasField("init_ack"):
            opened.release()
        elif response.HasField("status"):
            moments.arrivals.append((arrived, response.status.state))
            opened.release()


async def measure(streams: int, rounds: int) -> tuple[list[float], list[float]]:
    """Delays in ms of BACKPRESSURE and of ACTIVE, of every stream and round."""
    moments, may_link = Moments(), threading.Event()
    observe_tail(moments, may_link)
    options = ServerOptions(
        None, default_space=SpaceConfig("default", DIM), store=StoreOptions(tail_count_max=TAIL_MAX)
    )
    engine = Engine.open(options)
    server = GrpcServer(engine)
    port = await server.start("127.0.0.1", 0)
    risen: list[float] = []
    fallen: list[float] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = EngramServiceStub(channel)
        told = asyncio.Semaphore(0)
        following = [asyncio.create_task(follow(stub, moments, told)) for _ in range(streams)]
        await _all(told, streams)
        for number in range(rounds):
            may_link.clear()
            moments.fell, moments.arrivals = 0.0, []
            for part in range(17):
                await stub.Remember(pb.RememberRequest(batch=encode_batch(batch(f"{number}-{part}"))))
            await _all(told, streams)
            risen += [1e3 * (at - moments.rose) for at, _ in moments.arrivals]
            moments.arrivals = []
            may_link.set()
            await _all(told, streams)
            fallen += [1e3 * (at - moments.fell) for at, _ in moments.arrivals]
            await _empty(stub)
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        await server.stop(1.0)
    await engine.close()
    return risen, fallen


async def _empty(stub: Any) -> None:
    while True:
        space = await stub.GetSpace(pb.GetSpaceRequest())
        if space.indexed_generation >= space.visible_generation:
            return
        await asyncio.sleep(0.005)


async def _all(told: asyncio.Semaphore, streams: int) -> None:
    for _ in range(streams):
        await told.acquire()


def batch(name: str) -> ObservationBatch:
    """Five hundred observations."""
    vectors = np.random.default_rng(0).standard_normal((500, DIM)).astype(np.float32)
    return make_batch(ids=[f"{name}-{row}" for row in range(500)], vectors=vectors)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks pressure-news", description=__doc__.split("\n")[0])
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 20], help="open streams (default 1 20)")
    parser.add_argument("--rounds", type=int, default=50, help="rises and falls (default 50)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    tune_interpreter()
    rows = []
    for streams in arguments.streams:
        measured = asyncio.run(measure(streams, arguments.rounds))
        for change, delays in zip(("to BACKPRESSURE", "to ACTIVE"), measured, strict=True):
            rows.append({"streams": streams, "change": change, **percentiles("told", delays)})
    publish("news of pressure", {"rounds": arguments.rounds, "dim": DIM, "cores": os.cpu_count()}, rows, arguments.json)


if __name__ == "__main__":
    main()

"""Recalls and single durable observations over each transport: ``python -m benchmarks transports-recall``.

A folder with linked observations is served to all but the library itself, which has a copy of its own in this process.
Nothing else runs. Every door has its turn in each round, and the medians over the rounds count.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

import engram
from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.indexed import IndexedWatch
from benchmarks.support.report import publish
from benchmarks.support.server import SPACE, server_with_http
from benchmarks.transports.doors import Asynchronous, Blocking, Door, Embedded, Http

_K = 10
_SINGLE = 300
_TOGETHER = 1_500
_IN_FLIGHT = 32
_OBSERVED = 100
_BLOCKING = ("embedded", "grpc, blocking", "websocket, blocking")


def build(folder: Path, rows: NDArray[np.float32]) -> None:
    """Make a store with all rows linked."""
    with engram.MemoryStore(folder) as store:
        space = store.space(SPACE, dim=rows.shape[1])
        watch = IndexedWatch(space)
        for begin in range(0, len(rows), 1000):
            part = rows[begin : begin + 1000]
            space.observe([f"row-{begin + place}" for place in range(len(part))], part, ["a short text"] * len(part))
        watch.wait(space.generation)


def doors(folder: Path, grpc: str, http: str) -> dict[str, Door]:
    """All ways to the same rows."""
    return {
        "embedded": Embedded(folder, SPACE),
        "grpc, async": Asynchronous(grpc, SPACE),
        "grpc, blocking": Blocking(grpc, SPACE),
        "websocket, async": Asynchronous(f"ws://{http}", SPACE),
        "websocket, blocking": Blocking(f"ws://{http}", SPACE),
        "http": Http(http, SPACE),
    }


async def _single(door: Door, queries: NDArray[np.float32]) -> list[float]:
    taken = []
    for query in queries:
        begin_s = time.perf_counter()
        assert await door.recall(query, _K) == _K
        taken.append((time.perf_counter() - begin_s) * 1e3)
    return taken


async def _together(door: Door, queries: NDArray[np.float32]) -> float:
    """Recalls a second with 32 in flight."""
    numbers = iter(range(_TOGETHER))

    async def go_on() -> None:
        for number in numbers:
            assert await door.recall(queries[number % len(queries)], _K) == _K

    begin_s = time.perf_counter()
    await asyncio.gather(*(go_on() for _ in range(_IN_FLIGHT)))
    return _TOGETHER / (time.perf_counter() - begin_s)


async def _observed(door: Door, tag: str, queries: NDArray[np.float32]) -> list[float]:
    taken = []
    for number in range(_OBSERVED):
        begin_s = time.perf_counter()
        await door.observe(f"{tag}-{number}", queries[number])
        taken.append((time.perf_counter() - begin_s) * 1e3)
    return taken


def _cpu_us(process: psutil.Process) -> float:
    times = process.cpu_times()
    return (times.user + times.system) * 1e6


async def _turn(name: str, door: Door, tag: str, queries: NDArray[np.float32], pid: int) -> dict[str, float]:
    await _single(door, queries[:20])
    own, served = psutil.Process(), psutil.Process(pid)
    before = _cpu_us(own), _cpu_us(served)
    single = await _single(door, queries[:_SINGLE])
    client, server = (_cpu_us(own) - before[0]) / _SINGLE, (_cpu_us(served) - before[1]) / _SINGLE
    found = {"recall P50 ms": float(np.percentile(single, 50)), "recall P99 ms": float(np.percentile(single, 99))}
    found |= {"client us": client, "server us": server}
    if name not in _BLOCKING:
        found["recalls/s, 32 in flight"] = await _together(door, queries)
    found["observe P50 ms"] = float(np.percentile(await _observed(door, tag, queries), 50))
    return found


async def _rounds(folder: Path, served: tuple[psutil.Process, str, str], rounds: int, dim: int) -> list[dict[str, Any]]:
    process, grpc, http = served
    queries = synthetic_rows(1_000, dim, seed=2)
    found: dict[str, list[dict[str, float]]] = {}
    ways = doors(folder, grpc, http)
    for turn in range(rounds):
        for name in list(ways) if turn % 2 == 0 else list(reversed(ways)):
            found.setdefault(name, []).append(await _turn(name, ways[name], f"{turn}-{name}", queries, process.pid))
    for door in ways.values():
        await door.close()
    return [{"door": name, **{key: median(run[key] for run in found[name]) for key in found[name][0]}} for name in ways]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks transports-recall", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds whose medians count (default 7)")
    parser.add_argument("--count", type=int, default=50_000, help="observations that are there (default 50000)")
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--json", type=Path, help="save the result there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engram-bench-") as scratch:
        folders = Path(scratch) / "embedded", Path(scratch) / "served"
        build(folders[0], synthetic_rows(given.count, given.dim))
        shutil.copytree(*folders)
        with server_with_http(folders[1]) as served:
            rows = asyncio.run(_rounds(folders[0], served, given.rounds, given.dim))
    settings = {"rounds": given.rounds, "count": given.count, "dim": given.dim, "k": _K, "recalls": _SINGLE}
    publish("recalls and durable observations over each transport, idle, medians", settings, rows, given.json)


if __name__ == "__main__":
    main()

"""What a vector costs when it comes alone, and in batches: appended, published and linked.

    python -m benchmarks index-batches                     # onto an index of 50 000 vectors

Once into the graph alone, and once into a space of an embedded store, where each call is also logged, committed and
made recallable by other threads. All sizes take turns on the same index, which grows; each figure is the median over
the turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.indexed import IndexedWatch
from benchmarks.support.report import publish
from benchmarks.support.steps import progress
from engram.index import HnswIndex, Quality
from engram.store import MemoryStore, StoreOptions

SIZES = (1, 10, 100, 1_000)
# Of each size in each turn: enough to see past the pauses of the machine.
_PER_TURN = 5_000


class Graph:
    """The graph alone: each call appends, publishes and links."""

    name = "graph"

    def __init__(self, dim: int, quality: Quality, threads: int) -> None:
        self._index = HnswIndex(dim, quality=quality)
        self._threads = threads

    def add(self, rows: NDArray[np.float32]) -> None:
        self._index.add(rows, threads=self._threads)

    def finish(self) -> None:
        assert self._index.indexed_generation == self._index.visible_generation

    def close(self) -> None:
        pass


class Embedded:
    """A space in a store without files: each call returns when its vectors are recallable; workers link them."""

    name = "store"

    def __init__(self, dim: int, quality: Quality, threads: int) -> None:
        self._store = MemoryStore(None, options=StoreOptions(workers=threads))
        self._space = self._store.space("batches", dim=dim)
        self._indexed = IndexedWatch(self._space)
        self._count = 0

    def add(self, rows: NDArray[np.float32]) -> None:
        self._space.observe([str(self._count + i) for i in range(len(rows))], rows)
        self._count += len(rows)

    def finish(self) -> None:
        self._indexed.wait()

    def close(self) -> None:
        self._store.close()


def cost_us(target: Graph | Embedded, rows: NDArray[np.float32], size: int) -> float:
    """Microseconds for each vector of `rows`, added in batches of `size` that wait for one another, until linked."""
    begin = time.perf_counter()
    for start in range(0, len(rows), size):
        target.add(rows[start : start + size])
    target.finish()
    return 1e6 * (time.perf_counter() - begin) / len(rows)


def measure(target: Graph | Embedded, rows: NDArray[np.float32], before: int, turns: int) -> list[dict[str, Any]]:
    """A row per size."""
    cost_us(target, rows[:before], 1_000)
    costs: dict[int, list[float]] = {size: [] for size in SIZES}
    done = before
    for turn in range(turns):
        for size in SIZES:
            costs[size].append(cost_us(target, rows[done : done + _PER_TURN], size))
            done += _PER_TURN
        shown = ", ".join(f"{size}: {costs[size][-1]:.1f} us" for size in SIZES)
        progress(f"{target.name}, turn {turn + 1}: {shown}")
    target.close()
    medians = {size: statistics.median(costs[size]) for size in SIZES}
    return [
        {
            "into": target.name,
            "batch": size,
            "us/vector": cost,
            "inserts/s": 1e6 / cost,
            "x cheaper than single": medians[1] / cost,
        }
        for size, cost in medians.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks index-batches", description=__doc__.split("\n")[0])
    parser.add_argument("--before", type=int, default=50_000, help="vectors there beforehand (default 50000)")
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--turns", type=int, default=5, help="turns of each size (default 5)")
    parser.add_argument("--quality", choices=get_args(Quality), default="fast", help="of the graph (default fast)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="inserting threads (default: cores)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    rows = synthetic_rows(arguments.before + arguments.turns * len(SIZES) * _PER_TURN, arguments.dim)
    settings = {"data": "synthetic, 400 clusters", "vectors_before": arguments.before, "dimension": arguments.dim}
    settings |= {"quality": arguments.quality, "threads": arguments.threads, "turns": arguments.turns}
    measured = [
        row
        for kind in (Graph, Embedded)
        for row in measure(
            kind(arguments.dim, arguments.quality, arguments.threads), rows, arguments.before, arguments.turns
        )
    ]
    publish(f"index batches, {arguments.dim}-d, {arguments.threads} threads", settings, measured, arguments.json)


if __name__ == "__main__":
    main()

"""What a vector costs when it comes alone, and in batches: appended, published and linked.

    python -m benchmarks.index_batches                     # onto an index of 50 000 vectors

All sizes take turns on the same index, which grows; each figure is the median over the turns.
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

from benchmarks.datasets import synthetic_rows
from benchmarks.index_process import progress
from benchmarks.report import publish
from engram.index import HnswIndex, Quality

SIZES = (1, 10, 100, 1_000)
# Of each size in each turn: enough to see past the pauses of the machine.
_PER_TURN = 5_000


def cost_us(index: HnswIndex, rows: NDArray[np.float32], size: int, threads: int) -> float:
    """Microseconds for each vector of `rows`, added in batches of `size` that wait for one another."""
    begin = time.perf_counter()
    for start in range(0, len(rows), size):
        index.add(rows[start : start + size], threads=threads)
    assert index.indexed_generation == index.visible_generation
    return 1e6 * (time.perf_counter() - begin) / len(rows)


def measure(rows: NDArray[np.float32], before: int, turns: int, quality: Quality, threads: int) -> list[dict[str, Any]]:
    """A row per size."""
    index = HnswIndex(rows.shape[1], quality=quality)
    index.add(rows[:before])
    costs: dict[int, list[float]] = {size: [] for size in SIZES}
    done = before
    for turn in range(turns):
        for size in SIZES:
            costs[size].append(cost_us(index, rows[done : done + _PER_TURN], size, threads))
            done += _PER_TURN
        progress(f"turn {turn + 1}: " + ", ".join(f"{size}: {costs[size][-1]:.1f} us" for size in SIZES))
    single = statistics.median(costs[1])
    medians = {size: statistics.median(costs[size]) for size in SIZES}
    return [
        {"batch": size, "us/vector": cost, "inserts/s": 1e6 / cost, "x cheaper than single": single / cost}
        for size, cost in medians.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index_batches", description=__doc__.split("\n")[0])
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
    measured = measure(rows, arguments.before, arguments.turns, arguments.quality, arguments.threads)
    publish(f"index batches, {arguments.dim}-d, {arguments.threads} threads", settings, measured, arguments.json)


if __name__ == "__main__":
    main()

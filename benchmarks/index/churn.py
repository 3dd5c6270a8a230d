"""Half of an index deleted and inserted again, over and over: what that costs in recall, speed and memory.

    python -m benchmarks index-churn                       # 10 rounds over 100 000 vectors

Each round deletes a random half of the live vectors and inserts the same vectors again as new versions, then waits
until they are linked. The index is compacted whenever half of it is dead. Round 0 is the fresh index.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import Dataset, recall, synthetic
from benchmarks.support.report import publish
from benchmarks.support.steps import progress, resident
from engram.index import HnswIndex, Quality

K = 10
ROUNDS = 3


class Churned:
    """An index, and which version of each row lives."""

    def __init__(self, data: Dataset, quality: Quality, threads: int) -> None:
        self._data = data
        self._threads = threads
        self.index = HnswIndex(data.base.shape[1], quality=quality)
        # Position g - 1 holds the row that generation g carries; generations of deletions carry none.
        self._row_of = np.empty(0, dtype=np.int64)
        self._living = np.zeros(len(data.base), dtype=np.int64)

    def insert(self, rows: NDArray[np.int64]) -> float:
        """Insert these rows as new versions; return the rate."""
        vectors = self._data.base[rows]
        begin = time.perf_counter()
        first = self.index.add(vectors, threads=self._threads)
        rate = len(rows) / (time.perf_counter() - begin)
        self._row_of = np.concatenate([self._row_of, np.full(first - 1 - len(self._row_of), -1), rows])
        self._living[rows] = np.arange(first, first + len(rows), dtype=np.int64)
        return rate

    def delete(self, rows: NDArray[np.int64]) -> float:
        """End the living versions of these rows; return the rate."""
        end = self.index.visible_generation + 1
        begin = time.perf_counter()
        deleted = self.index.delete(self._living[rows], end)
        self.index.publish(end)
        assert deleted == len(rows)
        return deleted / (time.perf_counter() - begin)

    def compact(self) -> float:
        """Leave the dead behind once they are as many as the living, as a store does; return the seconds it took."""
        if self.index.dead_count < self.index.live_count:
            return 0.0
        begin = time.perf_counter()
        self.index.compact(threads=self._threads)
        return time.perf_counter() - begin

    def search(self, ef: int) -> tuple[float, float]:
        """Recall by row, and queries a second, the best of some rounds."""
        fastest = float("inf")
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            found, _ = self.index.search(self._data.queries, k=K, ef=ef)
            fastest = min(fastest, time.perf_counter() - begin)
        rows = np.where(found > 0, self._row_of[found - 1], -1)
        return recall(rows, self._data.truth), len(found) / fastest


def measure(data: Dataset, quality: Quality, rounds: int, ef: int, threads: int) -> list[dict[str, Any]]:
    """A row per round."""
    churned, rng = Churned(data, quality, threads), np.random.default_rng(7)
    count = len(data.base)
    rows = []
    for number in range(rounds + 1):
        chosen = rng.permutation(count)[: count // 2] if number else np.arange(count)
        deletes = churned.delete(chosen) if number else 0.0
        inserts = churned.insert(chosen)
        compaction = churned.compact()
        found, queries = churned.search(ef)
        graph = churned.index.statistics()
        progress(f"round {number}: recall {found:.4f}, {queries:,.0f} queries/s, {inserts:,.0f} inserts/s")
        rows.append(
            {
                "round": number,
                "inserts/s": inserts,
                "deletes/s": deletes,
                "compaction s": compaction,
                "recall@10": found,
                "queries/s": queries,
                "live": churned.index.live_count,
                "slots": graph.slots,
                "unreachable": graph.unreachable,
                "invalid links": graph.invalid_links,
                "index MB": churned.index.nbytes / 1e6,
                "own MB": resident().own_bytes / 1e6,
            }
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks index-churn", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="live vectors (default 100000)")
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--clusters", type=int, default=400, help="clusters of the vectors (default 400)")
    parser.add_argument("--rounds", type=int, default=10, help="halves replaced (default 10)")
    parser.add_argument("--quality", choices=get_args(Quality), default="fast", help="of the graph (default fast)")
    parser.add_argument("--ef", type=int, default=96, help="of the searches (default 96)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="inserting threads (default: cores)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    data = synthetic(arguments.count, arguments.dim, arguments.clusters)
    settings = {
        "data": data.name,
        "vectors": len(data.base),
        "quality": arguments.quality,
        "ef": arguments.ef,
        "insert_threads": arguments.threads,
        "search_threads": 1,
        "replaced_per_round": 0.5,
    }
    rows = measure(data, arguments.quality, arguments.rounds, arguments.ef, arguments.threads)
    publish(f"index churn, {data.name}, {len(data.base):,} live vectors", settings, rows, arguments.json)


if __name__ == "__main__":
    main()

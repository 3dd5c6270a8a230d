"""What the first recalls of observations cost that were written past the page cache and never read.

    python -m benchmarks recall-cold

Ranking and reading a hit touch the mapped log, whose pages are on the disk only. The same cues again find them in
memory.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.indexed import IndexedWatch
from benchmarks.support.report import percentiles, publish
from engram.store import MemoryStore, Space

BATCH = 256


def ingest(space: Space, rows: NDArray[np.float32]) -> None:
    """Store `rows` in commits that pass by the page cache, and wait until they are indexed."""
    for start in range(0, len(rows), BATCH):
        piece = rows[start : start + BATCH]
        ids = [f"id {start + row}" for row in range(len(piece))]
        space.observe(ids, piece, [f"the text of {id}" for id in ids])
    IndexedWatch(space).wait()


def recall(space: Space, cues: NDArray[np.float32]) -> dict[str, float]:
    """Percentiles of recalls with everything of their hits read, in milliseconds."""
    found, read = [], []
    for cue in cues:
        begin = time.perf_counter()
        hits = space.recall(cue, k=10)
        between = time.perf_counter()
        for hit in hits:
            _ = (hit.id, hit.content, hit.metadata, hit.confidence, hit.time_us)
        found.append((between - begin) * 1e3)
        read.append((time.perf_counter() - between) * 1e3)
    return {**percentiles("recall", found), **percentiles("reading 10 hits", read)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recall-cold", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="observations (default 100000)")
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--queries", type=int, default=300, help="recalls (default 300)")
    parser.add_argument("--data", type=Path, help="folder on the disk to measure; default: a temporary one")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    rows = synthetic_rows(arguments.count, arguments.dim)
    cues = rows[np.random.default_rng(1).choice(len(rows), arguments.queries, replace=False)]
    scratch = Path(tempfile.mkdtemp(prefix="engram-bench-", dir=arguments.data))
    try:
        with MemoryStore(scratch / "store") as store:
            space = store.space("bench", dim=arguments.dim)
            ingest(space, rows)
            results: list[dict[str, Any]] = [
                {"cues": "for the first time", **recall(space, cues)},
                {"cues": "again", **recall(space, cues)},
            ]
    finally:
        shutil.rmtree(scratch)
    settings = {"count": arguments.count, "dim": arguments.dim, "queries": arguments.queries, "k": 10}
    publish("first recalls after ingest", settings, results, arguments.json)


if __name__ == "__main__":
    main()

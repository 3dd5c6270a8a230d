"""Data that graphs do not like: how much longer it takes to build, what becomes unreachable, and what is found.

    python -m benchmarks index-degenerate                  # 50 000 vectors of each kind

Many of these vectors have the same score, so an answer counts by its score: it is right when it is as good as the
true tenth best, up to float32's precision.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.report import publish
from benchmarks.support.steps import progress
from engram.index import HnswIndex, Quality
from engram.model.spaces import Metric

K = 10
QUERIES = 500
_TOLERANCE = 1e-5

Vectors = NDArray[np.float32]


def sorted_by_cluster(rows: Vectors) -> Vectors:
    """Those nearest to the same of 400 rows arrive together."""
    return rows[np.argsort(np.argmax(rows @ rows[:400].T, axis=1), kind="stable")]


def drifting(rows: Vectors) -> Vectors:
    """The mean moves from one row to another while vectors arrive."""
    way = np.linspace(0, 1, len(rows), dtype=np.float32)[:, None]
    return np.asarray(rows + 3 * ((1 - way) * rows[0] + way * rows[1]), dtype=np.float32)


def thousandfold(rows: Vectors) -> Vectors:
    """Each vector a thousand times, in random order."""
    return rows[np.random.default_rng(2).integers(0, max(1, len(rows) // 1_000), len(rows))]


def one_hot(rows: Vectors) -> Vectors:
    """One 1 in each, at a random place."""
    places = np.random.default_rng(2).integers(0, rows.shape[1], len(rows))
    return np.eye(rows.shape[1], dtype=np.float32)[places]


KINDS: Final[dict[str, tuple[Metric, Callable[[Vectors], Vectors]]]] = {
    "ordinary": ("cosine", lambda rows: rows),
    "all equal": ("cosine", np.ones_like),
    "thousandfold": ("cosine", thousandfold),
    "one-hot": ("cosine", one_hot),
    "tiny": ("cosine", lambda rows: rows * np.float32(1e-12)),
    "sorted by cluster": ("cosine", sorted_by_cluster),
    "drifting": ("cosine", drifting),
    "ordinary, L2": ("l2", lambda rows: rows),
    "all equal, L2": ("l2", np.ones_like),
    "thousandfold, L2": ("l2", thousandfold),
    "far from the origin, L2": ("l2", lambda rows: rows + np.float32(1)),
}


def true_scores(base: Vectors, queries: Vectors, metric: Metric) -> NDArray[np.float64]:
    """The ten best scores of each query, best first, in double precision."""
    best = np.empty((len(queries), K))
    wide = base.astype(np.float64)
    squares = (wide * wide).sum(axis=1)
    for start in range(0, len(queries), 100):
        asked = queries[start : start + 100].astype(np.float64)
        scores = asked @ wide.T
        asked_squares = (asked * asked).sum(axis=1, keepdims=True)
        if metric == "cosine":
            scores /= np.sqrt(asked_squares * squares)
        else:
            scores = 2 * scores - asked_squares - squares
        best[start : start + 100] = -np.sort(np.partition(-scores, K, axis=1)[:, :K], axis=1)
    return best


def measure(kind: str, rows: Vectors, quality: Quality, ef: int, threads: int) -> dict[str, Any]:
    """Build, inspect and search one kind of data; its own vectors are the queries."""
    metric, shape = KINDS[kind]
    base = np.ascontiguousarray(shape(rows))
    index = HnswIndex(base.shape[1], metric, quality)
    begin = time.perf_counter()
    index.add(base, threads=threads)
    built_s = time.perf_counter() - begin
    graph = index.statistics()
    queries = base[np.random.default_rng(5).integers(0, len(base), QUERIES)]
    begin = time.perf_counter()
    _, scores = index.search(queries, k=K, ef=ef)
    rate = len(queries) / (time.perf_counter() - begin)
    wanted = true_scores(base, queries, metric)
    tolerance = _TOLERANCE * (1.0 if metric == "cosine" else float((base[0] * base[0]).sum()))
    progress(f"{kind}: {len(base) / built_s:,.0f} inserts/s")
    return {
        "data": kind,
        "inserts/s": len(base) / built_s,
        "x ordinary time": 1.0,
        "unreachable": graph.unreachable,
        "invalid links": graph.invalid_links,
        "links/node": graph.links / graph.linked,
        "recall@10 by score": float((scores >= wanted[:, -1:] - tolerance).mean()),
        "best found": float((scores[:, 0] >= wanted[:, 0] - tolerance).mean()),
        "queries/s": rate,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks index-degenerate", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=50_000, help="vectors of each kind (default 50000)")
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--quality", choices=get_args(Quality), default="fast", help="of the graph (default fast)")
    parser.add_argument("--ef", type=int, default=96, help="of the searches (default 96)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="inserting threads (default: cores)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    data = synthetic_rows(arguments.count, arguments.dim)
    # The first build pays for memory that nobody used before; it would flatter all others.
    measure("ordinary", data, arguments.quality, arguments.ef, arguments.threads)
    rows = [measure(kind, data, arguments.quality, arguments.ef, arguments.threads) for kind in KINDS]
    ordinary = {KINDS[row["data"]][0]: row["inserts/s"] for row in rows if row["data"].startswith("ordinary")}
    for row in rows:
        row["x ordinary time"] = ordinary[KINDS[row["data"]][0]] / row["inserts/s"]
    settings = {"vectors": arguments.count, "dimension": arguments.dim, "quality": arguments.quality}
    settings |= {"ef": arguments.ef, "insert_threads": arguments.threads, "search_threads": 1}
    publish(f"index on degenerate data, {arguments.count:,} vectors", settings, rows, arguments.json)


if __name__ == "__main__":
    main()

"""Filtered search: nothing hidden is ever returned, and what is visible is found, however little that is.

    python -m benchmarks index-filters                     # a million queries over 100 000 vectors
    python -m benchmarks index-filters --sorted            # what is hidden lies together, not everywhere

Filters are snapshots (`max_generation`), deletions and allow-lists. The queries that hunt for hidden vectors are
vectors of the index itself, so for each hidden one somebody asks. Recall@10 is against exact search over what is
visible.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import Dataset, exact, recall, synthetic
from benchmarks.support.report import publish
from benchmarks.support.steps import progress
from engram.index import HnswIndex, Quality

K = 10
FRACTIONS = (0.9, 0.5, 0.25, 0.1, 0.02, 0.001)
DELETED = (0.1, 0.5, 0.75, 0.9)
SELECTIVITIES = (0.5, 0.1, 0.01, 0.001, 0.0001)
CASES = len(FRACTIONS) + len(DELETED) + 1 + len(SELECTIVITIES)
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Case:
    """One filter: arguments of `search`, and which rows they leave visible."""

    filter: str
    arguments: dict[str, Any]
    visible: NDArray[np.bool_]


def cases(index: HnswIndex, count: int) -> Iterator[Case]:
    """All filters in turn. Deletions happen on the way, so each case must be measured before the next is asked for."""
    rows, rng = np.arange(count), np.random.default_rng(11)
    for fraction in FRACTIONS:
        limit = int(count * fraction)
        yield Case(f"snapshot {fraction:g}", {"max_generation": limit}, rows < limit)
    for selectivity in SELECTIVITIES:
        allowed = rng.permutation(count) < max(K, int(count * selectivity))
        yield Case(f"allowed {selectivity:g}", {"allowed": bitmap(rows[allowed] + 1)}, allowed)
    order, done = rng.permutation(count), 0
    for share in DELETED:
        last = int(count * share)
        end = index.visible_generation + 1
        index.delete(order[done:last] + 1, end)
        index.publish(end)
        done = last
        yield Case(f"deleted {share:g}", {}, ~np.isin(rows, order[:done]))
    yield Case("before the deletions", {"max_generation": count}, rows >= 0)


def bitmap(generations: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Bit ``g % 64`` of word ``g // 64`` set for each generation."""
    bits = np.zeros((int(generations.max()) // 64 + 1) * 64, dtype=np.uint8)
    bits[generations] = 1
    return np.packbits(bits, bitorder="little").view(np.uint64)


def measure(index: HnswIndex, data: Dataset, case: Case, queries: int, ef: int, threads: int) -> dict[str, Any]:
    """Hunt for hidden vectors with many queries, then check what the queries of the data set find."""
    hidden = missing = 0
    seconds = 0.0
    rng = np.random.default_rng(12)
    for _ in range(-(-queries // _BATCH)):
        asked = data.base[rng.integers(0, len(data.base), _BATCH)]
        begin = time.perf_counter()
        found, _ = index.search(asked, k=K, ef=ef, threads=threads, **case.arguments)
        seconds += time.perf_counter() - begin
        returned = found[found > 0] - 1
        hidden += int((~case.visible[returned]).sum())
        missing += int((found == 0).sum())
    visible = np.flatnonzero(case.visible)
    truth = visible[exact(data.base[visible], data.queries)]
    found, _ = index.search(data.queries, k=K, ef=ef, **case.arguments)
    asked_count = -(-queries // _BATCH) * _BATCH
    row = {
        "filter": case.filter,
        "visible": len(visible),
        "queries": asked_count,
        "hidden returned": hidden,
        "places left empty": missing,
        "recall@10": recall(found - 1, truth),
        "queries/s": asked_count / seconds,
    }
    progress(f"{case.filter}: {hidden} hidden, recall {row['recall@10']:.4f}, {row['queries/s']:,.0f} queries/s")
    return row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks index-filters", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="vectors (default 100000)")
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--clusters", type=int, default=400, help="clusters of the vectors (default 400)")
    parser.add_argument("--queries", type=int, default=1_000_000, help="over all filters (default 1000000)")
    parser.add_argument(
        "--sorted", action="store_true", help="insert along one direction, so that neighbours hide together"
    )
    parser.add_argument("--quality", choices=get_args(Quality), default="balanced", help="of the graph")
    parser.add_argument("--ef", type=int, default=96, help="of the searches (default 96)")
    parser.add_argument("--threads", type=int, default=2, help="searching threads (default 2)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    data = synthetic(arguments.count, arguments.dim, arguments.clusters)
    if arguments.sorted:
        direction = data.base[0] - data.base[1]
        data.base[:] = data.base[np.argsort(data.base @ direction)]
    index = HnswIndex(arguments.dim, quality=arguments.quality)
    index.add(data.base)
    settings = {
        "data": data.name,
        "vectors": len(data.base),
        "sorted": arguments.sorted,
        "quality": arguments.quality,
        "ef": arguments.ef,
        "search_threads": arguments.threads,
    }
    each = arguments.queries // CASES
    rows = [measure(index, data, case, each, arguments.ef, arguments.threads) for case in cases(index, len(data.base))]
    publish(f"index filters, {data.name}, {len(data.base):,} vectors", settings, rows, arguments.json)
    assert all(row["hidden returned"] == 0 for row in rows), "hidden vectors were returned"


if __name__ == "__main__":
    main()

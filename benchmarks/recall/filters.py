"""Filters of depth 3 over many observations: latency of recalls and counts by selectivity, and recall against exact.

    python -m benchmarks filter-trees                    # a million vectors of 384, embedded and warm
    python -m benchmarks filter-trees --keep FOLDER      # and keep the store for the next run
    python -m benchmarks filter-trees --count 100000     # smaller

Each recall has other constants in its filter, so nothing that was worked out for one helps another. Substrings and
missing keys have rows of their own. Every vector is read once before anything is measured. What was found is looked at
only after all recalls of a row, so that this takes nothing out of the caches.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.recall.filter_cases import OTHERS, SELECTIVITIES, SHAPES, Case, Make
from benchmarks.support.filled import SPACE, Properties, cues_of, filled, properties, scores_of
from benchmarks.support.report import percentiles, publish
from benchmarks.support.steps import progress
from engram import Cue, Hits, MemoryStore, Space, StoreOptions

K: Final = 10
_WARM_UP: Final = 20


def kinds() -> dict[str, Make]:
    """What each row of the table asks for."""
    trees = {f"{name}, {share:g}": shape(share) for name, shape in SHAPES.items() for share in SELECTIVITIES}
    return trees | OTHERS


def warm(space: Space) -> None:
    """Read every vector and every id, so that nothing comes from the disk afterwards."""
    read = sum(hit.vector is not None and bool(hit.id) for hit in space.scan(page_size=10_000))
    progress(f"{read:,} read")


def recalls(space: Space, cues: NDArray[np.float32], cases: Sequence[Case], ef: int) -> tuple[list[float], list[Hits]]:
    """Recall with each filter; the milliseconds that each took, and what was found."""
    taken_ms: list[float] = []
    found: list[Hits] = []
    for cue, (filter, _) in zip(cues[: len(cases)], cases, strict=True):
        asked = Cue(cue, filter=filter)
        begin = time.perf_counter()
        found.append(space.recall(asked, k=K, ef=ef))
        taken_ms.append((time.perf_counter() - begin) * 1e3)
    return taken_ms, found


def counts(space: Space, cases: Sequence[Case]) -> tuple[list[float], list[int]]:
    """Count what passes each filter; the milliseconds that each took, and the counts."""
    taken_ms: list[float] = []
    found: list[int] = []
    for filter, _ in cases:
        begin = time.perf_counter()
        found.append(int(space.count(filter)))
        taken_ms.append((time.perf_counter() - begin) * 1e3)
    return taken_ms, found


def share_found(hits: Hits, passes: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
    """The share that was found of the nearest that pass, by exact scores; nothing that does not pass may be found."""
    passing, found = np.flatnonzero(passes), np.array([int(hit.id) for hit in hits], dtype=np.int64)
    assert len(set(found.tolist())) == min(K, len(passing)), f"{len(found)} hits where {len(passing)} pass"
    assert passes[found].all(), "something was found that does not pass"
    if not len(found):
        return 1.0
    of_passing = scores[passing]
    nearest = np.argpartition(-of_passing, K)[:K] if len(passing) > K else np.arange(len(passing))
    return len(np.intersect1d(found, passing[nearest])) / len(found)


def measure(
    space: Space, rows: Properties, make: Make, cues: NDArray[np.float32], scores: NDArray[np.float32], ef: int
) -> dict[str, Any]:
    """Recall and count with a filter of a kind for each cue, after a few others to warm up.

    All filters, and what passes them, are made before that: it takes everything else out of the caches.
    """
    rng = np.random.default_rng(7)
    before = [make(rows, rng) for _ in cues[:_WARM_UP]]
    cases = [make(rows, rng) for _ in cues]
    counts(space, before)
    recalls(space, cues, before, ef)
    recall_ms, found = recalls(space, cues, cases, ef)
    count_ms, counted = counts(space, cases)
    assert counted == [int(np.count_nonzero(passes)) for _, passes in cases], "not what passes was counted"
    shares = [share_found(hits, passes, exact) for hits, (_, passes), exact in zip(found, cases, scores, strict=True)]
    return {
        "share": float(np.mean(counted)) / len(rows),
        "recall@10": float(np.mean(shares)),
        **percentiles("recall", recall_ms),
        **percentiles("count", count_ms),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks filter-trees", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="observations (default 1000000)")
    parser.add_argument("--dim", type=int, default=384, help="dimension (default 384)")
    parser.add_argument("--queries", type=int, default=300, help="for each row of the table (default 300)")
    parser.add_argument(
        "--ef",
        type=int,
        default=StoreOptions().ef,
        help="breadth of the search, of which filters make four times as much",
    )
    parser.add_argument("--keep", type=Path, help="folder that keeps the store, or has it from another run")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    rows, cues = properties(arguments.count), cues_of(arguments.queries, arguments.dim)
    table: list[dict[str, Any]] = []
    with filled(arguments.keep, arguments.count, arguments.dim) as path:
        scores = scores_of(cues, arguments.count)
        progress("the exact scores are known")
        with MemoryStore(path) as store:
            space = store.space(SPACE)
            warm(space)
            for name, make in kinds().items():
                table.append({"filter": name, **measure(space, rows, make, cues, scores, arguments.ef)})
                progress(f"{table[-1]}")
    settings = {
        "observations": arguments.count,
        "dimension": arguments.dim,
        "queries": arguments.queries,
        "k": K,
        "ef": arguments.ef,
    }
    publish(f"filters of depth 3, {arguments.count:,} observations", settings, table, arguments.json)


if __name__ == "__main__":
    main()

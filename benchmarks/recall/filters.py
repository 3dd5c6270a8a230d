"""Filters of depth 3 over many observations: latency of recalls and counts by selectivity, and recall against exact.

    python -m benchmarks filter-trees                  # a million vectors of 384, embedded and warm
    python -m benchmarks filter-trees --count 100000   # smaller

Each recall has other constants in its filter, so nothing that was evaluated for one helps another. Substrings and
missing keys have rows of their own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import recall, synthetic_rows
from benchmarks.support.indexed import IndexedWatch
from benchmarks.support.report import percentiles, publish
from benchmarks.support.steps import progress
from engram import Condition, Cue, F, MemoryStore, Own, Space

K = 10
SELECTIVITIES = (0.5, 0.1, 0.01, 0.001, 0.0001, 0.00001)
ROOMS = 20
_BLOCK = 5_000


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of the observations, by row."""

    rank: NDArray[np.float64]
    room: NDArray[np.int64]
    deck: NDArray[np.int64]

    def metadata(self, row: int) -> dict[str, Any]:
        """The metadata of one row; every tenth has no deck."""
        made: dict[str, Any] = {"rank": float(self.rank[row]), "room": f"room-{self.room[row]}", "note": f"note {row}"}
        return made if self.deck[row] == 0 else {**made, "crew": {"deck": int(self.deck[row])}}


Case = tuple[Condition, NDArray[np.bool_]]
"""A filter, and which rows pass it."""


def generated(count: int, seed: int = 5) -> Properties:
    """The same properties for the same arguments."""
    rng = np.random.default_rng(seed)
    return Properties(rng.random(count), rng.integers(0, ROOMS, count), rng.integers(0, 10, count))


def deep(share: float) -> Callable[[Properties, np.random.Generator], Case]:
    """Filters of depth 3 that about `share` of the rows pass: a range, and one of two conditions, and not a third."""

    def make(rows: Properties, rng: np.random.Generator) -> Case:
        # Half of the rooms or decks from 5 on pass the middle part, and 19 of 20 rooms the last one.
        width = min(1.0, share / (0.75 * 0.95))
        low = float(rng.random() * (1 - width))
        rooms, without = rng.permutation(ROOMS)[: ROOMS // 2], int(rng.integers(ROOMS))
        filter = (
            (F.rank >= low)
            & (F.rank < low + width)
            & (F.room.is_in([f"room-{each}" for each in rooms]) | (F.crew.deck >= 5))
            & ~(F.room == f"room-{without}")
        )
        middle = np.isin(rows.room, rooms) | (rows.deck >= 5)
        return filter, (rows.rank >= low) & (rows.rank < low + width) & middle & (rows.room != without)

    return make


def missing(rows: Properties, rng: np.random.Generator) -> Case:
    """What has no deck, or one that is not the asked one, in one of the rooms."""
    deck, room = int(rng.integers(1, 10)), int(rng.integers(ROOMS))
    found = (~F.crew.deck.exists() | (F.crew.deck != deck)) & (F.room == f"room-{room}")
    return found, (rows.deck != deck) & (rows.room == room)


def substring(rows: Properties, rng: np.random.Generator) -> Case:
    """What has three digits somewhere in a text of its own."""
    digits = f"{rng.integers(100, 1000)}"
    has = np.char.find(np.arange(len(rows.rank)).astype(str), digits) >= 0
    return F.note.contains(digits) & Own.tags.has_none(["never"]), has


def fill(space: Space, base: NDArray[np.float32], rows: Properties) -> None:
    """Store the observations, and wait until they are linked."""
    for first in range(0, len(base), _BLOCK):
        last = min(first + _BLOCK, len(base))
        numbers = range(first, last)
        space.observe([f"{row}" for row in numbers], base[first:last], metadata=[rows.metadata(row) for row in numbers])
        progress(f"{last:,} stored")
    IndexedWatch(space).wait()


def measure(
    space: Space, base: NDArray[np.float32], cues: NDArray[np.float32], name: str, cases: list[Case]
) -> dict[str, Any]:
    """Recall and count with each filter; compare with the exact nearest that pass."""
    recall_ms, count_ms, shares, found = [], [], [], []
    for cue, (filter, passes) in zip(cues, cases, strict=True):
        begin = time.perf_counter()
        hits = space.recall(Cue(cue, filter=filter), k=K)
        middle = time.perf_counter()
        counted = space.count(filter)
        count_ms.append((time.perf_counter() - middle) * 1e3)
        recall_ms.append((middle - begin) * 1e3)
        passing = np.flatnonzero(passes)
        assert counted == len(passing), f"{name}: {counted} counted, {len(passing)} pass"
        assert len(hits) == min(K, len(passing)), f"{name}: {len(hits)} hits where {len(passing)} pass"
        shares.append(len(passing) / len(base))
        if len(passing) >= K:
            truth = passing[np.argsort(-(base[passing] @ cue))[:K]]
            found.append(recall(np.array([[int(hit.id) for hit in hits]]), truth[np.newaxis]))
    row = {
        "filter": name,
        "share": float(np.mean(shares)),
        "recall@10": float(np.mean(found)) if found else 1.0,
        **percentiles("recall", recall_ms),
        **percentiles("count", count_ms),
    }
    progress(f"{name}: {row}")
    return row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks filter-trees", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="vectors (default 1000000)")
    parser.add_argument("--dim", type=int, default=384, help="dimension (default 384)")
    parser.add_argument("--queries", type=int, default=300, help="for each selectivity (default 300)")
    parser.add_argument("--data", type=Path, help="directory of the store; without: in memory")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    vectors = synthetic_rows(arguments.count + arguments.queries, arguments.dim)
    base, cues = vectors[: arguments.count], vectors[arguments.count :]
    rows = generated(arguments.count)
    kinds = {f"depth 3, {share:g}": deep(share) for share in SELECTIVITIES}
    kinds |= {"missing key": missing, "substring": substring}
    table = []
    with MemoryStore(arguments.data) as store:
        space = store.space("filters", dim=arguments.dim)
        fill(space, base, rows)
        for name, make in kinds.items():
            rng = np.random.default_rng(7)
            warm_up = [make(rows, rng) for _ in range(min(20, len(cues)))]
            measure(space, base, cues[: len(warm_up)], f"{name}, warming up", warm_up)
            table.append(measure(space, base, cues, name, [make(rows, rng) for _ in cues]))
    settings = {"observations": arguments.count, "dimension": arguments.dim, "queries": arguments.queries, "k": K}
    publish(f"filters of depth 3, {arguments.count:,} observations", settings, table, arguments.json)


if __name__ == "__main__":
    main()

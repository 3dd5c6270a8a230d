"""The trade of an index between recall and speed, and how two indexes compare at the same recall."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.index.adapters import Peer
from benchmarks.support.datasets import recall
from benchmarks.support.steps import progress

K = 10
RECALL_WANTED = 0.95
EFS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
# Beyond this a longer search teaches nothing about the wanted recall.
_RECALL_ENOUGH = 0.99
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of a search, and what it gives with one thread."""

    ef: int
    recall: float
    queries_s: float


def measure_curve(
    peer: Peer, queries: NDArray[np.float32], truth: NDArray[np.int64], efs: Sequence[int]
) -> list[Point]:
    """Points for rising ef, warm, each rate the median of three rounds; ends where recall is plenty."""
    points: list[Point] = []
    for ef in efs:
        found = peer.search(queries, K, ef)
        rates = []
        for _ in range(_ROUNDS):
            begin = time.perf_counter()
            peer.search(queries, K, ef)
            rates.append(len(queries) / (time.perf_counter() - begin))
        points.append(Point(ef, recall(found, truth), statistics.median(rates)))
        progress(f"{peer.name}: ef {ef}, recall {points[-1].recall:.4f}, {points[-1].queries_s:,.0f} queries/s")
        if points[-1].recall >= _RECALL_ENOUGH:
            break
    return points


def best_of(points: Sequence[Point]) -> Point:
    """The fastest point that reaches the wanted recall; the most exact one if none does."""
    reached = [point for point in points if point.recall >= RECALL_WANTED]
    return max(reached, key=lambda p: p.queries_s) if reached else max(points, key=lambda p: p.recall)


def queries_s_at(points: Sequence[Point], wanted: float) -> float:
    """Query rate at a recall, seconds per query interpolated between the points around it; NaN if out of reach.

    Below the first point its rate counts, which is then a lower bound.
    """
    rising = sorted(points, key=lambda p: p.recall)
    if wanted > rising[-1].recall:
        return float("nan")
    seconds = np.interp(wanted, [p.recall for p in rising], [1 / p.queries_s for p in rising])
    return float(1 / seconds)


def as_json(points: Sequence[Point]) -> list[dict[str, Any]]:
    """The points as a result file holds them."""
    return [asdict(point) for point in points]


def from_json(points: Sequence[Mapping[str, Any]]) -> list[Point]:
    """The points of a result file."""
    return [Point(**point) for point in points]

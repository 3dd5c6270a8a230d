"""Walks: sources that hand out results from the best on, a few at a time."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ranked = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Generations and scores, best first."""


Generations = NDArray[np.int64] | NDArray[np.uint64]


class ResultWalk(Protocol):
    """Results that were not handed out before, the best of those known first."""

    def next(
        self, count: int, ef: int = ..., damaged: list[int] | None = None
    ) -> tuple[Generations, NDArray[np.float32]]:
        """Generations and scores of up to `count` more results, best first; none at all when there are no more.

        `damaged` gets the generations that were left out because their vectors are damaged.
        """


class RankedWalk:
    """Results that were ranked once and for all.

    Parameters
    ----------
    generations, scores
        All results, in any order.
    """

    def __init__(self, generations: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        order = np.argsort(-scores, kind="stable")
        self._generations = generations[order]
        self._scores = scores[order]

    def next(self, count: int, ef: int = 0, damaged: list[int] | None = None) -> Ranked:
        """The next `count` in the order of scores."""
        taken = self._generations[:count], self._scores[:count]
        self._generations, self._scores = self._generations[count:], self._scores[count:]
        return taken

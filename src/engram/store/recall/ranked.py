"""Result walks: they return results best first, a few at a time."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ranked = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Generations and scores, best first."""


Generations = NDArray[np.int64] | NDArray[np.uint64]


class ResultWalk(Protocol):
    """A source of results that returns each result once, the best of the known results first."""

    def next(
        self, count: int, ef: int = ..., damaged: list[int] | None = None
    ) -> tuple[Generations, NDArray[np.float32]]:
        """Return up to `count` further results, best first; none if there are no more.

        Parameters
        ----------
        count
            Maximum number of results.
        ef
            Number of candidates that are compared with one another.
        damaged
            Receives the generations that are left out because their vectors are damaged.

        Returns
        -------
        tuple[Generations, NDArray[np.float32]]
            Generations and scores, each of shape ``(n,)``.
        """


class RankedWalk:
    """A walk over results that are all ranked in advance.

    Parameters
    ----------
    generations, scores
        int64 and float32, shape ``(n,)`` each: all results, in any order.
    """

    def __init__(self, generations: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        order = np.argsort(-scores, kind="stable")
        self._generations = generations[order]
        self._scores = scores[order]

    def next(self, count: int, ef: int = 0, damaged: list[int] | None = None) -> Ranked:
        """Return the next `count` results, best first; `ef` and `damaged` are ignored."""
        taken = self._generations[:count], self._scores[:count]
        self._generations, self._scores = self._generations[count:], self._scores[count:]
        return taken

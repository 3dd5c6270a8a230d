"""How many versions ended at which generations, to find from where on only so many did."""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Generations are counted in groups of 256, so that a million of them take less than a megabyte.
_GROUP_BITS: Final = 8


class EndedCounts:
    """Counts of ended versions by the generations that ended them. Any thread may use it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._counts: dict[int, int] = {}
        self._total = 0

    def add(self, at: NDArray[np.int64]) -> None:
        """Count versions that ended at the generations `at`, int64, shape ``(n,)``."""
        groups, counts = np.unique(at >> _GROUP_BITS, return_counts=True)
        with self._guard:
            for group, count in zip(groups.tolist(), counts.tolist(), strict=True):
                self._counts[group] = self._counts.get(group, 0) + count
            self._total += len(at)

    def forget(self, horizon: int) -> None:
        """Forget what ended at or before `horizon`, as far as whole groups did."""
        with self._guard:
            while self._counts and (first := next(iter(self._counts))) < (horizon + 1) >> _GROUP_BITS:
                self._total -= self._counts.pop(first)

    def horizon(self, count_max: int) -> int:
        """Return a generation after which at most `count_max` versions ended, rounded up to a whole group; 0 for all.

        What ended at or before it is forgotten.
        """
        horizon = 0
        with self._guard:
            while self._total > count_max:
                group = next(iter(self._counts))
                self._total -= self._counts.pop(group)
                horizon = ((group + 1) << _GROUP_BITS) - 1
        return horizon

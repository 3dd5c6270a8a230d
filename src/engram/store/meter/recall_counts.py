"""How much of the best the latest measured recalls of a space found, and how sure that is."""

from __future__ import annotations

import math
from collections import deque
from typing import Final, NamedTuple

WINDOW: Final = 400
"""Measured recalls of a space that count; older ones are forgotten, so that a change shows."""

_Z95: Final = 1.96


class RecallEstimate(NamedTuple):
    """The share of the true neighbours that recalls found, from 0 to 1, with its 95 % interval."""

    lower: float
    estimate: float
    upper: float


class RecallCounts:
    """The measured recalls of one space. One thread adds to it; any thread may read it."""

    def __init__(self) -> None:
        self.measured: int = 0
        self._shares: Final[deque[float]] = deque(maxlen=WINDOW)

    def add(self, found: int, wanted: int) -> None:
        """Count a recall that found `found` of the best `wanted` observations."""
        self._shares.append(found / wanted)
        self.measured += 1

    def estimate(self) -> RecallEstimate | None:
        """Return the mean over the latest recalls; None before the first.

        The interval is Wilson's for as many trials as there are recalls. The results of one recall are not independent
        of each other, and a share between 0 and 1 varies at most as much as one that is either, so the interval is
        rather too wide than too narrow.
        """
        shares = self._shares.copy()
        count = len(shares)
        if not count:
            return None
        mean = math.fsum(shares) / count
        spread = _Z95 * math.sqrt(mean * (1 - mean) / count + (_Z95 / (2 * count)) ** 2)
        middle, scale = mean + _Z95**2 / (2 * count), 1 + _Z95**2 / count
        return RecallEstimate(max(0.0, (middle - spread) / scale), mean, min(1.0, (middle + spread) / scale))

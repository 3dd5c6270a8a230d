"""How fast something empties, measured, to tell whoever was refused when to come back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

RETRY_AFTER_MS_MAX: Final = 300_000
# Said before anything has been measured.
_RETRY_AFTER_MS_UNKNOWN: Final = 1_000
# What happened longer ago than a few of these no longer counts.
_MEMORY_S: Final = 3.0


class DrainRate:
    """Observations per second of working time, over the last few seconds. Its owner lets one thread at a time call.

    Kept as a fading sum of what was done and one of the time it took: their quotient is right also when a few steps
    take very long, which a mean of rates is not.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._done_count = 0.0
        self._busy_s = 0.0
        self._taken_count = 0
        self._taken_at_s = 0.0

    def start(self, count: int) -> None:
        """Note that work on `count` observations begins now."""
        self._taken_count = count
        self._taken_at_s = self._clock()

    def finish(self) -> None:
        """Note that the work begun last is done. The time until the next start is idle and does not count."""
        elapsed_s = self._clock() - self._taken_at_s
        if self._taken_count and elapsed_s > 0:
            fading = math.exp(-elapsed_s / _MEMORY_S)
            self._done_count = self._done_count * fading + self._taken_count
            self._busy_s = self._busy_s * fading + elapsed_s
        self._taken_count = 0

    def time_ms(self, count: int) -> int:
        """Return how long `count` observations take, from 1 ms to `RETRY_AFTER_MS_MAX`."""
        done_count, busy_s = self._done_count, self._busy_s
        if not busy_s:
            return _RETRY_AFTER_MS_UNKNOWN
        running_s = self._clock() - self._taken_at_s
        if self._taken_count and running_s * done_count > self._taken_count * busy_s:
            # The step under way already takes longer than it should, so the rate is lower than it was.
            done_count, busy_s = done_count + self._taken_count, busy_s + running_s
        return max(1, min(RETRY_AFTER_MS_MAX, round(1000 * count * busy_s / done_count)))

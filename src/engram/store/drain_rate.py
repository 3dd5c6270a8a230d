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
    """Observations per second of working time, over the last few seconds. Its owner sees to it that calls do not overlap.

    Kept as a fading sum of what was done and one of the time it took: their quotient is right also when a few steps take
    very long, which a mean of rates is not.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._done_count = 0.0
        self._busy_s = 0.0
        self._taken_count = 0
        self._taken_at_s = 0.0

    def record(self, count: int, *, emptied: bool) -> None:
        """Note that `count` observations were taken now, and whether that left nothing waiting."""
        now_s = self._clock()
        elapsed_s = now_s - self._taken_at_s
        if self._taken_count and elapsed_s > 0:
            # The time since the last take is what it needed for what it took then.
            fading = math.exp(-elapsed_s / _MEMORY_S)
            self._done_count = self._done_count * fading + self._taken_count
            self._busy_s = self._busy_s * fading + elapsed_s
        # After a take that leaves nothing it may wait for work, which says nothing about its speed.
        self._taken_count = 0 if emptied else count
        self._taken_at_s = now_s

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

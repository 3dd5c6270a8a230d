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


class ServiceRate:
    """Observations per second of working time, over the last few seconds.

    One thread works, starting and finishing; any thread may ask, and sees each pair of numbers whole.

    Kept as a fading sum of what was done and one of the time it took: their quotient is right also when a few steps
    take very long, which a mean of rates is not.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # What was done in how many seconds, and how much was begun when.
        self._done = (0.0, 0.0)
        self._taken = (0, 0.0)

    def start(self, count: int) -> None:
        """Note that work on `count` observations begins now."""
        self._taken = (count, self._clock())

    def finish(self) -> None:
        """Note that the work begun last is done. The time until the next start is idle and does not count."""
        taken_count, taken_at_s = self._taken
        elapsed_s = self._clock() - taken_at_s
        if taken_count and elapsed_s > 0:
            fading = math.exp(-elapsed_s / _MEMORY_S)
            done_count, busy_s = self._done
            self._done = (done_count * fading + taken_count, busy_s * fading + elapsed_s)
        self._taken = (0, taken_at_s)

    def time_ms(self, count: int) -> int:
        """Return how long `count` observations take, from 1 ms to `RETRY_AFTER_MS_MAX`."""
        done_count, busy_s = self._done
        if not busy_s:
            return _RETRY_AFTER_MS_UNKNOWN
        taken_count, taken_at_s = self._taken
        running_s = self._clock() - taken_at_s
        if taken_count and running_s * done_count > taken_count * busy_s:
            # The step under way already takes longer than it should, so the rate is lower than it was.
            done_count, busy_s = done_count + taken_count, busy_s + running_s
        return max(1, min(RETRY_AFTER_MS_MAX, round(1000 * count * busy_s / done_count)))

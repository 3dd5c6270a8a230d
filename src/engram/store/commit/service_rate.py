"""The measured rate at which a queue empties; it tells a caller that was refused when to try again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

RETRY_AFTER_MS_MAX: Final = 300_000
# Returned before anything has been measured.
_RETRY_AFTER_MS_UNKNOWN: Final = 1_000
# Work that was done longer ago than a few of these no longer counts.
_MEMORY_S: Final = 3.0


class ServiceRate:
    """The number of observations per second of working time, over the last few seconds.

    One thread at a time calls `start` and `finish`. Any thread may call `time_ms` and sees each pair of numbers
    consistently.

    The rate is the quotient of two fading sums: of the observations done and of the seconds they took. It is right even
    if a few steps take very long, which a mean of rates is not.

    Parameters
    ----------
    clock
        Returns seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Observations done and the seconds they took; observations begun and the time when they were begun.
        self._done = (0.0, 0.0)
        self._taken = (0, 0.0)

    def start(self, count: int) -> None:
        """Record that work on `count` observations begins now."""
        self._taken = (count, self._clock())

    def finish(self) -> None:
        """Record that the current work is done. The time until the next start is idle and does not count."""
        taken_count, taken_at_s = self._taken
        elapsed_s = self._clock() - taken_at_s
        if taken_count and elapsed_s > 0:
            fading = math.exp(-elapsed_s / _MEMORY_S)
            done_count, busy_s = self._done
            self._done = (done_count * fading + taken_count, busy_s * fading + elapsed_s)
        self._taken = (0, taken_at_s)

    def time_ms(self, count: int) -> int:
        """Return the milliseconds that `count` observations take, from 1 to `RETRY_AFTER_MS_MAX`."""
        done_count, busy_s = self._done
        if not busy_s:
            return _RETRY_AFTER_MS_UNKNOWN
        taken_count, taken_at_s = self._taken
        running_s = self._clock() - taken_at_s
        if taken_count and running_s * done_count > taken_count * busy_s:
            # The current step already takes longer than expected, so the rate has fallen.
            done_count, busy_s = done_count + taken_count, busy_s + running_s
        return max(1, min(RETRY_AFTER_MS_MAX, round(1000 * count * busy_s / done_count)))

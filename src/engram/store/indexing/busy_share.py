"""The time that a worker is busy, and its share of the recent past."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

WINDOW_S_MIN: Final = 1.0
"""Seconds over which a share is measured at least; whoever looks sooner is told the last one."""


class BusyShare:
    """Measures how long a worker is busy, and its share of the time from look to look.

    The worker begins and ends its tasks. Any thread may look. A task counts while it runs, so that a worker that does
    not get on with one is not taken for an idle one.

    Parameters
    ----------
    clock
        Monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The seconds of the tasks that ended, and when the present one began; replaced as a whole.
        self._worked: tuple[float, float | None] = (0.0, None)
        # When the window began, what had been worked by then, and the share of the window before; replaced as a whole.
        self._window = (clock(), 0.0, 0.0)

    def begin(self) -> None:
        """Note that a task begins."""
        self._worked = (self._worked[0], self._clock())

    def end(self) -> None:
        """Note that the task ends."""
        self._worked = (self.seconds(), None)

    def seconds(self) -> float:
        """Return the seconds that all tasks took."""
        ended_s, begin_s = self._worked
        return ended_s if begin_s is None else ended_s + self._clock() - begin_s

    def look(self) -> float:
        """Return the share of the last seconds, from 0 to 1."""
        begin_s, before_s, share = self._window
        now_s = self._clock()
        if now_s - begin_s >= WINDOW_S_MIN:
            busy_s = self.seconds()
            # The clock goes on between the two readings.
            share = min(1.0, (busy_s - before_s) / (now_s - begin_s))
            self._window = (now_s, busy_s, share)
        return share

"""A clock by which ages are judged: it never makes anything older than it is because the time of day jumped."""

from __future__ import annotations

import threading
import time
from typing import Final

from engram.model.times import now_us

# Counts on while the machine sleeps, where the system has such a clock.
_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class AgeClock:
    """The time of day as far as it can be trusted. Any thread may use it.

    It goes with a steady clock from the earliest time of day that it has seen. So it does not follow when the time of
    day jumps ahead, and stays behind when it has once been set back.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._begin_us = now_us() - _steady_us()

    def now_us(self) -> int:
        """Return the time in microseconds since 1970 UTC; never later than the time of day."""
        steady_us = _steady_us()
        with self._guard:
            self._begin_us = min(self._begin_us, now_us() - steady_us)
            return self._begin_us + steady_us


def _steady_us() -> int:
    return time.clock_gettime_ns(_STEADY) // 1000

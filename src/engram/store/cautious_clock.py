"""A clock that does not believe a jump ahead at once, for what is dropped by its age."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from engram.model.times import now_us


def elapsed_us() -> int:
    """Return microseconds of a clock that cannot be set."""
    return time.monotonic_ns() // 1000


class CautiousClock:
    """The wall clock, unless it jumped ahead a short while ago. Any thread may use it.

    A wall clock that is wrongly set ahead would make everything look old enough to be dropped. It is believed once it
    has gone on from there for `believed_s` seconds of a clock that cannot be set; until then, time goes on from where
    it was. A clock that is set back is believed at once, because that drops nothing. What the clock did before this
    object was made cannot be known.

    Parameters
    ----------
    believed_s
        Seconds until a jump ahead is believed; it takes at most twice as long.
    wall
        Returns the time of the wall clock in microseconds since 1970 UTC.
    elapsed
        Returns microseconds that only rise, at the pace of a clock.
    """

    def __init__(
        self,
        believed_s: float,
        wall: Callable[[], int] = now_us,
        elapsed: Callable[[], int] = elapsed_us,
    ) -> None:
        self._window_us = believed_s * 1e6
        self._wall = wall
        self._elapsed = elapsed
        self._guard = threading.Lock()
        self._begun_us = self._elapsed()
        # By how much the wall clock is ahead of the other one: the least in the window before, and in this one.
        self._ahead_before = self._ahead = self._wall() - self._begun_us

    def now_us(self) -> int:
        """Return a time in microseconds since 1970 UTC that is not after the wall clock's."""
        with self._guard:
            elapsed = self._elapsed()
            ahead = self._wall() - elapsed
            if elapsed - self._begun_us >= self._window_us:
                self._begun_us = elapsed
                self._ahead_before, self._ahead = self._ahead, ahead
            self._ahead = min(self._ahead, ahead)
            return elapsed + min(self._ahead_before, self._ahead)

"""The clock by which ages are judged: it makes nothing older than it is because the time of day was set ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engram.model.times import now_us

# Counts on while the machine sleeps, where the system has such a clock.
_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# A time of day that is slewed goes ahead a little at a time. So much is no jump.
_SLEW_US: Final = 10_000
_SPANS_MAX: Final = 64


def steady_us() -> int:
    """Return microseconds of a clock that cannot be set."""
    return time.clock_gettime_ns(_STEADY) // 1000


@dataclass(slots=True)
class _Span:
    """By how much the time of day was ahead of the steady clock, at least, until a time of the steady clock."""

    until_us: int
    ahead_us: int


class AgeClock:
    """Tells since when something must be there to be of a certain age. Any thread may use it.

    A time of day that is wrongly set ahead would make everything look old enough to be dropped. So the time that was so
    long ago is judged by the earliest time of day within just as long: a jump ahead is believed for an age once that
    age has passed by a clock that cannot be set, and all that was there before the jump is really as old by then. A
    time of day that is set back is believed at once, because that drops nothing. What it did before this object was
    made cannot be known; so a store has one for all of its spaces, also for those that are opened later.

    Parameters
    ----------
    wall
        Returns the time of day in microseconds since 1970 UTC.
    steady
        Returns microseconds that only rise, at the pace of a clock.
    """

    def __init__(self, wall: Callable[[], int] | None = None, steady: Callable[[], int] | None = None) -> None:
        self._wall = wall or now_us
        self._steady = steady or steady_us
        self._guard = threading.Lock()
        now = self._steady()
        # The later, the more ahead: what was further ahead before a span does not matter as long as the span does.
        self._spans = [_Span(now, self._wall() - now)]

    def us_ago(self, age_s: float) -> int:
        """Return the time `age_s` seconds ago, in microseconds since 1970 UTC; never later than by the time of day."""
        age_us = round(age_s * 1e6)
        with self._guard:
            now = self._steady()
            self._look(now)
            ahead = next(span.ahead_us for span in self._spans if span.until_us >= now - age_us)
            return now + ahead - age_us

    def _look(self, now: int) -> None:
        """Note the time of day; what it was at the last look may have held until now."""
        spans, ahead = self._spans, self._wall() - now
        spans[-1].until_us = now
        while spans and spans[-1].ahead_us >= ahead:
            spans.pop()
        if spans and ahead - spans[-1].ahead_us < _SLEW_US:
            spans[-1].until_us = now
        else:
            spans.append(_Span(now, ahead))
        if len(spans) > _SPANS_MAX:
            # Two that differ least become one, which is believed to have been less ahead for longer.
            index = min(range(1, len(spans)), key=lambda i: spans[i].ahead_us - spans[i - 1].ahead_us)
            spans[index - 1].until_us = spans[index].until_us
            del spans[index]

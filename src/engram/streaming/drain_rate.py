"""How fast the committer empties the lanes, measured, to tell refused clients when to come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

RETRY_AFTER_MS_MAX: Final = 300_000
# Said before anything has been measured.
_RETRY_AFTER_MS_UNKNOWN: Final = 1_000
# Weight of the latest measurement in the running mean.
_WEIGHT: Final = 0.2


class DrainRate:
    """Running mean of observations per second between two takes that both found something waiting."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._per_second = 0.0
        self._taken_count = 0
        self._taken_at_s = 0.0

    def record(self, count: int, *, emptied: bool) -> None:
        """Note that `count` observations were taken now, and whether that emptied the queue."""
        now = self._clock()
        if self._taken_count and now > self._taken_at_s:
            # The time since the last take is what the committer needed for what it took then.
            rate = self._taken_count / (now - self._taken_at_s)
            self._per_second = rate if not self._per_second else (1 - _WEIGHT) * self._per_second + _WEIGHT * rate
        # After a take that leaves nothing, the committer may wait for work, which says nothing about its speed.
        self._taken_count = 0 if emptied else count
        self._taken_at_s = now

    def time_ms(self, count: int) -> int:
        """Return how long `count` observations take, from 1 ms to `RETRY_AFTER_MS_MAX`."""
        if not self._per_second:
            return _RETRY_AFTER_MS_UNKNOWN
        return max(1, min(RETRY_AFTER_MS_MAX, round(1000 * count / self._per_second)))

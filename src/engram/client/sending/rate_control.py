"""How fast a client may send: unlimited until the server objects, then half, then gradually more again.

Pure state with the clock passed in, like `SendWindow`.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from typing import Final

RATE_MIN: Final = 100.0
# However often it complains, the server gets at least this part of what it took before: what is too much all the same,
# the waits that it asks for hold back. Doubling every second, the full rate is back after as many seconds as halvings.
HALVINGS_MAX: Final = 5
_GROWTH_PER_S: Final = 2.0
_MEASURE_S: Final = 0.5
# Complaints in quick succession are about the same moment; the rate that the first one brought must show its effect.
_HALVING_S_MIN: Final = 0.2


class ServerLoad(Enum):
    """What the server last said about its load."""

    ACTIVE = auto()
    BACKPRESSURE = auto()
    OVERLOADED = auto()
    PAUSED = auto()


class RateControl:
    """Decides when the next batch may go.

    The rate is halved when the server reports backpressure or overload, or refuses, and doubles every second once it is
    active again; when it passes what was sent before the trouble, the limit goes away. While the server is overloaded
    nothing is sent for as long as it asks, or until it says that it is better.
    """

    def __init__(self) -> None:
        self.mood = ServerLoad.ACTIVE
        self.rate: float | None = None
        self._rate_before = 0.0
        self._free_at_s = 0.0
        self._grown_at_s = 0.0
        self._halved_at_s = -math.inf
        self._measured = 0.0
        self._measure_from_s = -math.inf
        self._measure_count = 0

    def sent(self, count: int, now_s: float) -> None:
        """Account for `count` observations sent at `now_s`."""
        elapsed = now_s - self._measure_from_s
        if elapsed >= _MEASURE_S:
            self._measured = self._measure_count / elapsed
            self._measure_from_s = now_s
            self._measure_count = 0
        self._measure_count += count
        if self.rate is not None:
            self._free_at_s = max(self._free_at_s, now_s) + count / self.rate

    def status(self, mood: ServerLoad, retry_after_ms: int, now_s: float) -> None:
        """Take a status of the server."""
        recovers = self.mood is ServerLoad.OVERLOADED and mood is not ServerLoad.OVERLOADED
        self.mood = mood
        if recovers or mood is ServerLoad.ACTIVE:
            self._free_at_s = self._grown_at_s = now_s
        elif mood is ServerLoad.OVERLOADED:
            self.refused(retry_after_ms, now_s)
        elif mood is ServerLoad.BACKPRESSURE:
            self._halve(now_s)

    def refused(self, retry_after_ms: int, now_s: float) -> None:
        """Take it that the server has no room, and asks to come back later."""
        self._halve(now_s)
        self.hold(retry_after_ms, now_s)

    def hold(self, retry_after_ms: int, now_s: float) -> None:
        """Send nothing for a while, as a refusal with ``retry_after_ms`` asks."""
        self._free_at_s = max(self._free_at_s, now_s + retry_after_ms / 1000)

    def disconnected(self) -> None:
        """Forget what this connection said about load; a rate that was learned stays."""
        self.mood = ServerLoad.ACTIVE

    def delay_s(self, now_s: float) -> float:
        """Seconds until the next batch may go: 0 for now, infinity while the server has paused the stream."""
        if self.mood is ServerLoad.PAUSED:
            return math.inf
        self._grow(now_s)
        return max(0.0, self._free_at_s - now_s)

    def _halve(self, now_s: float) -> None:
        if now_s - self._halved_at_s < _HALVING_S_MIN:
            return
        self._halved_at_s = now_s
        if self.rate is None:
            elapsed = max(now_s - self._measure_from_s, _MEASURE_S)
            self._rate_before = max(self._measured, self._measure_count / elapsed, RATE_MIN)
        self.rate = max((self.rate or self._rate_before) / 2, self._rate_before / 2**HALVINGS_MAX, RATE_MIN)
        self._grown_at_s = now_s

    def _grow(self, now_s: float) -> None:
        if self.rate is None or self.mood is not ServerLoad.ACTIVE:
            return
        self.rate *= _GROWTH_PER_S ** (now_s - self._grown_at_s)
        self._grown_at_s = now_s
        if self.rate > self._rate_before:
            self.rate = None

"""Rate control of a client: no limit until the server complains, then half the rate, then gradually more again.

The state reads no clock; callers pass the time, as in `ProgressWatchdog`.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from typing import Final

RATE_MIN: Final = 100.0
# Lower bound: the rate never falls below 1/32 of what it was before the first complaint. If that is still too much, the
# server's `retry_after_ms` slows the client further. The rate doubles every second, so the full rate is back after as
# many seconds as there were halvings.
HALVINGS_MAX: Final = 5
_GROWTH_PER_S: Final = 2.0
_MEASURE_S: Final = 0.5
# Complaints in quick succession have the same cause. The first halving needs time to take effect.
_HALVING_S_MIN: Final = 0.2


class ServerLoad(Enum):
    """The load of the server, as it last reported it."""

    ACTIVE = auto()
    BACKPRESSURE = auto()
    OVERLOADED = auto()
    PAUSED = auto()


class RateControl:
    """The rate limit of a client, which determines when the next batch may be sent.

    The rate is halved when the server reports backpressure or overload, or refuses a batch. It doubles every second
    while the server is active. The limit ends when the rate exceeds the rate before the first halving. While the server
    is overloaded, nothing is sent for as long as the server asks, or until it reports a lower load.
    """

    def __init__(self) -> None:
        self.load: ServerLoad = ServerLoad.ACTIVE
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

    def status(self, load: ServerLoad, retry_after_ms: int, now_s: float) -> None:
        """Apply a reported load of the server, and the milliseconds that it asks to wait."""
        recovers = self.load is ServerLoad.OVERLOADED and load is not ServerLoad.OVERLOADED
        self.load = load
        if recovers or load is ServerLoad.ACTIVE:
            self._free_at_s = self._grown_at_s = now_s
        elif load is ServerLoad.OVERLOADED:
            self.refused(retry_after_ms, now_s)
        elif load is ServerLoad.BACKPRESSURE:
            self._halve(now_s)

    def refused(self, retry_after_ms: int, now_s: float) -> None:
        """Halve the rate, and send nothing for `retry_after_ms`, because the server has no room."""
        self._halve(now_s)
        self.hold(retry_after_ms, now_s)

    def hold(self, retry_after_ms: int, now_s: float) -> None:
        """Send nothing for `retry_after_ms` milliseconds."""
        self._free_at_s = max(self._free_at_s, now_s + retry_after_ms / 1000)

    def disconnected(self) -> None:
        """Forget the load that was reported on this connection, but keep the rate."""
        self.load = ServerLoad.ACTIVE

    def delay_s(self, now_s: float) -> float:
        """Return the seconds until the next batch may be sent: 0 for now, infinity while the stream is paused."""
        if self.load is ServerLoad.PAUSED:
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
        if self.rate is None or self.load is not ServerLoad.ACTIVE:
            return
        self.rate *= _GROWTH_PER_S ** (now_s - self._grown_at_s)
        self._grown_at_s = now_s
        if self.rate > self._rate_before:
            self.rate = None

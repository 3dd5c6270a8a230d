"""The rate at which a client wants to be sent messages. Pure state; the caller passes the time."""

from __future__ import annotations

import math
from typing import Final

# Messages per second: the first rate of a client that slows down without naming one, and the bounds of a rate.
RATE_FIRST: Final = 100.0
RATE_MIN: Final = 1.0
RATE_MAX: Final = 10_000.0


class SendRate:
    """Spaces messages to a client at a rate that it can set, halve and double. There is no limit at first."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self._free_at_s = -math.inf

    def prefer(self, rate: float) -> None:
        """Limit the rate to `rate` messages per second, at least `RATE_MIN`; above `RATE_MAX` there is no limit."""
        self.rate = max(RATE_MIN, rate) if rate <= RATE_MAX else None
        self._free_at_s = -math.inf

    def slow_down(self) -> None:
        """Halve the rate; without a limit, start at `RATE_FIRST`."""
        self.prefer(RATE_FIRST if self.rate is None else self.rate / 2)

    def speed_up(self) -> None:
        """Double the rate, if it is limited."""
        if self.rate is not None:
            self.prefer(self.rate * 2)

    def sent(self, now_s: float) -> None:
        """Record that a message was sent at `now_s`."""
        if self.rate is not None:
            self._free_at_s = now_s + 1 / self.rate

    def delay_s(self, now_s: float) -> float:
        """Return how long the next message has to wait, in seconds."""
        return 0.0 if self.rate is None else max(0.0, self._free_at_s - now_s)

"""How fast a client wants to be sent to. Pure state with the clock passed in."""

from __future__ import annotations

import math
from typing import Final

# Where slowing down starts if the client names no rate, and how slow it gets.
RATE_FIRST: Final = 100.0
RATE_MIN: Final = 1.0
RATE_MAX: Final = 10_000.0


class SendRate:
    """Spaces messages to a client at a rate that it can name, halve and double. Without a word there is no limit."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self._free_at_s = -math.inf

    def prefer(self, rate: float) -> None:
        """At most `rate` messages a second from now on, within the bounds; no limit above them."""
        self.rate = max(RATE_MIN, rate) if rate <= RATE_MAX else None
        self._free_at_s = -math.inf

    def slow_down(self) -> None:
        """Half as fast as now."""
        self.prefer(RATE_FIRST if self.rate is None else self.rate / 2)

    def speed_up(self) -> None:
        """Twice as fast as now."""
        if self.rate is not None:
            self.prefer(self.rate * 2)

    def sent(self, now_s: float) -> None:
        """A message went out."""
        if self.rate is not None:
            self._free_at_s = now_s + 1 / self.rate

    def delay_s(self, now_s: float) -> float:
        """How long the next message has to wait."""
        return 0.0 if self.rate is None else max(0.0, self._free_at_s - now_s)

"""How long to wait before the next attempt: doubling, bounded, and spread so that clients do not return in step."""

from __future__ import annotations

import random
from typing import Final

FIRST_S: Final = 0.05
DELAY_S_MAX: Final = 2.0


class Backoff:
    """Delays between attempts.

    Parameters
    ----------
    first_s, delay_s_max
        The first delay and the bound that doubling stops at.
    spread
        Source of the jitter; each delay is between half of its nominal length and all of it.
    """

    def __init__(
        self, first_s: float = FIRST_S, delay_s_max: float = DELAY_S_MAX, spread: random.Random | None = None
    ) -> None:
        self._first_s = first_s
        self._delay_s_max = delay_s_max
        self._spread = spread or random.Random()  # noqa: S311 - jitter, not a secret
        self._next_s = first_s

    def next_s(self) -> float:
        """Seconds to wait now; the following delay is twice as long, up to the bound."""
        nominal = self._next_s
        self._next_s = min(nominal * 2, self._delay_s_max)
        return nominal * self._spread.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start over after a success."""
        self._next_s = self._first_s

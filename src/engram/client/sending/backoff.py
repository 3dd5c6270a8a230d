"""Exponential backoff between attempts, with jitter so that clients do not all return at the same moment."""

from __future__ import annotations

import random
from typing import Final

FIRST_S: Final = 0.05
DELAY_S_MAX: Final = 2.0


class Backoff:
    """The delays between attempts, which double up to a bound.

    Parameters
    ----------
    first_s, delay_s_max
        First delay, and upper bound of all delays, in seconds.
    spread
        Source of the jitter. Each delay is between half of its nominal length and all of it.
    """

    def __init__(
        self, first_s: float = FIRST_S, delay_s_max: float = DELAY_S_MAX, spread: random.Random | None = None
    ) -> None:
        self._first_s = first_s
        self._delay_s_max = delay_s_max
        self._spread = spread or random.Random()  # noqa: S311 - jitter, not a secret
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the seconds to wait now; the following delay is twice as long, up to the bound."""
        nominal = self._next_s
        self._next_s = min(nominal * 2, self._delay_s_max)
        return nominal * self._spread.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start again with the first delay, after a success."""
        self._next_s = self._first_s

"""The share of the recent past that a worker was busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

WINDOW_S_MIN: Final = 1.0
"""Seconds over which a share is measured at least; whoever looks sooner is told the last one."""


class BusyShare:
    """Measures a share from look to look. Any thread may look.

    Parameters
    ----------
    clock
        Monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # When the window began, what had been worked by then, and the share of the window before; replaced as a whole.
        self._window = (clock(), 0.0, 0.0)

    def look(self, busy_s: float) -> float:
        """Return the share, from 0 to 1, for a worker that has been busy for `busy_s` seconds in all."""
        begin_s, before_s, share = self._window
        now_s = self._clock()
        if now_s - begin_s >= WINDOW_S_MIN:
            # What a task took counts when it ends, so a long one can seem to have taken more than the window.
            share = min(1.0, (busy_s - before_s) / (now_s - begin_s))
            self._window = (now_s, busy_s, share)
        return share

"""Leases: the generations that scans hold between their pages, which no reference holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

LEASE_S: Final = 60.0
"""Seconds for which a generation is retained after a page of it was read."""

LEASES_MAX: Final = 1000
"""Generations that a space holds so at most; the one that was used least recently goes first."""


class Leases:
    """The generations that are held for a while after each use. Any thread may use it.

    Parameters
    ----------
    clock
        Returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By the time of their last use, because all are held equally long.
        self._ends_s: dict[int, float] = {}

    def renew(self, generation: int) -> None:
        """Hold `generation` for `LEASE_S` seconds from now on."""
        with self._lock:
            self._ends_s.pop(generation, None)
            self._ends_s[generation] = self._clock() + LEASE_S
            if len(self._ends_s) > LEASES_MAX:
                del self._ends_s[next(iter(self._ends_s))]

    def renew_held(self, generation: int) -> bool:
        """Hold `generation` for longer if it is held now; return whether it is."""
        with self._lock:
            self._expire()
            if self._ends_s.pop(generation, None) is None:
                return False
            self._ends_s[generation] = self._clock() + LEASE_S
            return True

    def generations(self) -> list[int]:
        """Return the generations that are held now."""
        with self._lock:
            self._expire()
            return list(self._ends_s)

    def _expire(self) -> None:
        now_s = self._clock()
        for generation in [one for one, end_s in self._ends_s.items() if end_s <= now_s]:
            del self._ends_s[generation]

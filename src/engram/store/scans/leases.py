"""Leases: the generations that are held for a while after each use, by what is read in parts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol
from weakref import WeakValueDictionary

from engram.lifecycle.living import living

LEASE_S: Final = 60.0
"""Seconds for which a generation is retained after a page of it, or a batch, was read."""

LEASES_MAX: Final = 1000
"""Generations that a space holds so at most; the one that was used least recently goes first."""


class Reader(Protocol):
    """What is read in parts by whoever references it, such as a recall stream."""

    @property
    def held_generation(self) -> int | None:
        """The generation that it needs; None if it needs none any more, or was not used for `LEASE_S` seconds."""


class Leases:
    """The generations that are held for a while after each use. Any thread may use it.

    A scan is known by its generation alone, because a client may go on with it from another connection. A reader holds
    its generation for as long as it is referenced and used.

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
        self._readers: WeakValueDictionary[int, Reader] = WeakValueDictionary()

    def add(self, reader: Reader) -> None:
        """Hold what `reader` needs from now on."""
        # What grows cannot be listed.
        with self._lock:
            self._readers[id(reader)] = reader

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
            readers = living(self._readers)
        needed = [reader.held_generation for reader in readers]
        with self._lock:
            self._expire()
            return [*self._ends_s, *(generation for generation in needed if generation is not None)]

    def _expire(self) -> None:
        now_s = self._clock()
        for generation in [one for one, end_s in self._ends_s.items() if end_s <= now_s]:
            del self._ends_s[generation]

"""Recalls have the right of way on the event loop; whoever brings observations in lets them pass."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

# A recall takes about four turns of the loop to be accepted, and twice as many to be answered.
_TURNS: Final = 16
# Where there was one recall, the next is expected: it needs its turns before anybody here can know of it.
_EXPECTED_S: Final = 1.0
_PATIENCE_S: Final = 0.02


class LoopPriority:
    """Gives recalls turns of the event loop between any two messages of observations.

    A recall needs little work in many turns of the loop, a message of observations much work in one; and gRPC accepts
    one call after the other. So under load recalls would wait for each other at the door, each for several messages,
    while the processors still have time for them. Therefore, as long as there are recalls, turns pass between any two
    messages, however many streams they come from, until no recall has come for that many turns, or for so long that
    streams must go on, too. A turn in which nothing happens costs next to nothing. Used on the event loop's thread
    only.

    Parameters
    ----------
    turns
        Turns without a new recall between two messages.
    patience_s
        After so many seconds the next message has its turn in any case, once those turns have passed.
    clock_s
        Tells the time in seconds.

    Attributes
    ----------
    under_way
        Recalls that are under way.
    """

    def __init__(
        self, turns: int = _TURNS, patience_s: float = _PATIENCE_S, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.under_way = 0
        self._begun = 0
        self._turns = turns
        self._patience_s = patience_s
        self._clock_s = clock_s
        self._expected_until_s = clock_s()
        # Fair: who waits longest is next.
        self._gate = asyncio.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A recall that is under way for as long as the context."""
        self.under_way += 1
        self._begun += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._expected_until_s = self._clock_s() + _EXPECTED_S

    async def give(self) -> None:
        """Let recalls pass, if there are recalls."""
        if not self._is_wanted():
            return
        async with self._gate:
            until_s = self._clock_s() + self._patience_s
            begun, quiet = self._begun, 0
            while quiet < self._turns and self._is_wanted():
                await asyncio.sleep(0)
                quiet += 1
                if self._begun != begun and self._clock_s() < until_s:
                    begun, quiet = self._begun, 0

    def _is_wanted(self) -> bool:
        return self.under_way > 0 or self._clock_s() < self._expected_until_s

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


class RightOfWay:
    """Gives recalls turns of the event loop between any two messages of observations.

    A recall needs little work in many turns of the loop, a message of observations much work in one; and gRPC accepts
    one call after the other. So under load recalls would wait for each other at the door, each for several messages,
    while the processors still have time for them. Therefore, as long as there are recalls, that many turns pass between
    two messages, however many streams they come from. A turn in which nothing happens costs next to nothing. Used on
    the event loop's thread only.

    Parameters
    ----------
    turns
        Turns between two messages.
    clock_s
        Tells the time in seconds.

    Attributes
    ----------
    under_way
        Recalls that are under way.
    """

    def __init__(self, turns: int = _TURNS, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.under_way = 0
        self._turns = turns
        self._clock_s = clock_s
        self._expected_until_s = clock_s()
        # Fair: who waits longest is next.
        self._gate = asyncio.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A recall that is under way for as long as the context."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._expected_until_s = self._clock_s() + _EXPECTED_S

    async def give(self) -> None:
        """Wait for the turns of recalls, if there are recalls."""
        if not self._is_wanted():
            return
        async with self._gate:
            given = 0
            while given < self._turns and self._is_wanted():
                given += 1
                await asyncio.sleep(0)

    def _is_wanted(self) -> bool:
        return self.under_way > 0 or self._clock_s() < self._expected_until_s

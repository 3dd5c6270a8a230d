"""Turns in which calls begin: each client has as many as the others, and calls that arrive are taken first."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

# The event loop needs five to ten iterations to take a call from gRPC, which hands over the next one only then. In so
# many, the next one has come if there is any.
_ITERATIONS: Final = 64
_WAIT_S_MAX: Final = 0.02


class ClientTurns:
    """Lets few calls begin at the same time. Used on the event loop's thread only.

    To begin a stream takes much longer than to take a call, and is mostly done on threads, each of which takes the
    interpreter lock from the event loop. Without turns, thousands of streams of one client would begin before the call
    of another one is so much as seen, because gRPC keeps all of them in one line. So a turn is given when no call has
    come for some iterations of the event loop, or for so long that streams must begin, too; and the clients that wait
    have their turns one after the other, however many calls each of them has made.

    A call that finds room and nobody waiting begins at once.

    Parameters
    ----------
    count_max
        How many may begin at the same time.
    iterations
        Iterations of the event loop without a call that pass before a turn is given.
    wait_s_max
        After this many seconds, further calls do not delay the next turn any more.
    clock_s
        Monotonic clock in seconds.
    """

    def __init__(
        self,
        count_max: int,
        iterations: int = _ITERATIONS,
        wait_s_max: float = _WAIT_S_MAX,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free = count_max
        self._iterations = iterations
        self._wait_s_max = wait_s_max
        self._clock_s = clock_s
        # The lines of the clients that wait; the one whose turn is next comes first.
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._giving: asyncio.Task[None] | None = None
        # How many calls have come, and how many of them had when the last turn was given.
        self._come = 0
        self._come_before = 0

    def note_arrival(self) -> None:
        """Note that a call has come, whether it will ask for a turn or is refused."""
        self._come += 1

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for a turn of `client`, which the body is.

        Parameters
        ----------
        client
            The client's address, which is that of its connection; those without one are one client.
        """
        if self._free and not self._lines:
            self._free -= 1
        else:
            await self._waited(client)
        try:
            yield
        finally:
            self._give_back()

    async def _waited(self, client: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(client, deque()).append(turn)
        self._give_soon()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # The turn was given just before.
                self._give_back()
            raise

    def _give_back(self) -> None:
        self._free += 1
        self._give_soon()

    def _give_soon(self) -> None:
        if self._lines and self._free and self._giving is None:
            self._giving = asyncio.get_running_loop().create_task(self._give())

    async def _give(self) -> None:
        try:
            while self._free and self._lines:
                await self._until_none_comes()
                turn = self._next()
                if turn is not None:
                    self._free -= 1
                    turn.set_result(None)
        finally:
            self._giving = None

    async def _until_none_comes(self) -> None:
        until_s = self._clock_s() + self._wait_s_max
        come, idle = self._come_before, 0
        while idle < self._iterations and self._come != self._come_before and self._clock_s() < until_s:
            await asyncio.sleep(0)
            come, idle = self._come, idle + 1 if self._come == come else 0
        self._come_before = self._come

    def _next(self) -> asyncio.Future[None] | None:
        """Return the turn that is next, and put its client behind the others; None if nobody waits any more."""
        while self._lines:
            client = next(iter(self._lines))
            line = self._lines.pop(client)
            while line:
                turn = line.popleft()
                # One that was given up takes no place.
                if not turn.done():
                    if line:
                        self._lines[client] = line
                    return turn
        return None

"""A condition variable for the coroutines of one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LoopCondition:
    """Wakes coroutines that wait for a condition. Used on one event loop's thread only, so it needs no lock."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wake every waiting coroutine, so that it checks its condition again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once `condition` holds. It is checked now and after every `notify`."""
        while not condition():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

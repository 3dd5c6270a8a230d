"""A lock for code that runs on one event loop now, and on another one later."""

from __future__ import annotations

import asyncio


class LoopTurn:
    """Lets one coroutine at a time go on, among those of the running event loop.

    A lock of asyncio belongs to the event loop on which somebody first had to wait for it.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()

    def taken(self) -> asyncio.Lock:
        """Return what ``async with`` takes on the running event loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._lock = loop, asyncio.Lock()
        return self._lock

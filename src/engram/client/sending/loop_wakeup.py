"""Wakes the one coroutine that sends, from any thread."""

from __future__ import annotations

import asyncio


class LoopWakeup:
    """Rung by producers and answers, awaited by the sender. Create it on the loop that it wakes."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Let `wait` return; from any thread. A loop that is already closed has nobody left to wake."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, delay_s_max: float) -> None:
        """Wait until rung since the last wait, or for at most `delay_s_max`."""
        timer = self._loop.call_later(delay_s_max, self._rung.set)
        try:
            await self._rung.wait()
        finally:
            timer.cancel()
        self._rung.clear()

"""A wake-up signal from any thread to the coroutine that sends."""

from __future__ import annotations

import asyncio


class LoopWakeup:
    """A signal that any thread may send to one waiting coroutine. Create it on the event loop of that coroutine."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Let `wait` return; callable from any thread. Has no effect if the event loop is closed."""
        if self._is_here():
            # Nothing has to be written to the pipe that wakes an event loop from other threads. The coroutine still
            # runs behind all that is ready in this turn of the loop, so what others add meanwhile is sent with it.
            self._woken.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def wait(self, delay_s_max: float) -> None:
        """Wait until `wake` has been called since the last wait, or for at most `delay_s_max` seconds."""
        timer = self._loop.call_later(delay_s_max, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            timer.cancel()
        self._woken.clear()

    def _is_here(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

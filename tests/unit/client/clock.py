"""Time for tests of the client that does not depend on how fast this machine happens to be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

# Only a failing test waits so long.
WAIT_S = 60


async def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Put the loop's clock forward, so that nothing depends on how fast this machine happens to be."""
    loop = asyncio.get_running_loop()
    time = loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + seconds)
    # What is due now runs, and what it wakes.
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until `condition` holds."""
    async with asyncio.timeout(WAIT_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0)

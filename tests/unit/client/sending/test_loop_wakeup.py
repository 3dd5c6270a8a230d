"""A wake-up reaches the coroutine that waits, from wherever it is sent."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engram.client.sending.loop_wakeup import LoopWakeup

LONG_S = 60.0


async def waits_for(wakeup: LoopWakeup) -> bool:
    """Whether the wait ends by itself, long before its time."""
    async with asyncio.timeout(LONG_S / 2):
        await wakeup.wait(LONG_S)
    return True


async def test_a_wake_up_before_the_wait_ends_it() -> None:
    wakeup = LoopWakeup()
    wakeup.wake()
    assert await waits_for(wakeup)


async def test_a_wake_up_on_the_same_loop_needs_no_call_across_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    wakeup = LoopWakeup()
    monkeypatch.setattr(asyncio.get_running_loop(), "call_soon_threadsafe", None)
    waiting = asyncio.create_task(waits_for(wakeup))
    await asyncio.sleep(0)
    wakeup.wake()
    assert await waiting


async def test_a_thread_wakes_the_loop() -> None:
    wakeup = LoopWakeup()
    waiting = asyncio.create_task(waits_for(wakeup))
    await asyncio.sleep(0)
    thread = threading.Thread(target=wakeup.wake)
    thread.start()
    assert await waiting
    thread.join()


async def test_another_loop_wakes_the_loop() -> None:
    wakeup = LoopWakeup()

    async def wake() -> None:
        wakeup.wake()

    waiting = asyncio.create_task(waits_for(wakeup))
    await asyncio.sleep(0)
    thread = threading.Thread(target=lambda: asyncio.run(wake()))
    thread.start()
    assert await waiting
    thread.join()


async def test_each_wait_needs_a_wake_up_of_its_own() -> None:
    wakeup = LoopWakeup()
    wakeup.wake()
    wakeup.wake()
    await wakeup.wait(LONG_S)
    again = asyncio.create_task(wakeup.wait(LONG_S))
    await asyncio.sleep(0)
    assert not again.done()
    wakeup.wake()
    await again


def test_a_closed_loop_is_not_woken() -> None:
    async def make() -> LoopWakeup:
        return LoopWakeup()

    asyncio.run(make()).wake()

"""Coroutines that are begun before their task has its turn: they cannot tell it from being run by the task alone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from engram.streaming.loop.begun import Begun

_kept: ContextVar[str] = ContextVar("kept", default="nothing")


def begun_by_task(coroutine: Coroutine[Any, Any, Any]) -> tuple[asyncio.Task[Any], bool]:
    """Return the task of a coroutine that was begun, and whether that was all of it."""
    begun = Begun(coroutine, copy_context())
    task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(begun)
    return task, begun.begin(task)


async def test_what_need_not_wait_is_done_at_once() -> None:
    done = []

    async def work() -> str:
        done.append(asyncio.current_task())
        return "result"

    before = asyncio.current_task()
    task, is_all = begun_by_task(work())
    assert is_all
    assert done == [task]
    assert asyncio.current_task() is before
    assert await task == "result"


async def test_what_waits_goes_on_in_its_task() -> None:
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()

    async def work() -> tuple[Any, ...]:
        seen = [asyncio.current_task(), await first]
        await asyncio.sleep(0)
        return (*seen, asyncio.current_task(), await second)

    task, is_all = begun_by_task(work())
    assert not is_all
    # One is there before the task has had its turn, the other one is not.
    first.set_result(1)
    await asyncio.sleep(0)
    second.set_result(2)
    assert await task == (task, 1, task, 2)


@pytest.mark.parametrize("waits", [False, True])
async def test_an_error_is_that_of_the_task(waits: bool) -> None:
    async def work() -> None:
        if waits:
            await asyncio.sleep(0)
        raise ValueError("of the work")

    task, is_all = begun_by_task(work())
    assert not is_all
    with pytest.raises(ValueError, match="of the work"):
        await task


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_a_cancellation_ends_what_is_waited_for(turns: int) -> None:
    inner = asyncio.get_running_loop().create_task(asyncio.Event().wait())
    ended = []

    async def work() -> None:
        try:
            await inner
        finally:
            ended.append(inner.cancelled())

    task, _ = begun_by_task(work())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # It has waited for the end of what it waited for, as any task does.
    assert ended == [True]


async def test_a_cancellation_that_comes_after_the_end_changes_nothing() -> None:
    async def work() -> str:
        return "result"

    task, _ = begun_by_task(work())
    task.cancel()
    assert await task == "result"


async def test_time_limits_are_kept_from_the_first_step_on() -> None:
    async def work() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return "late"
        return "never"

    task, _ = begun_by_task(work())
    assert await task == "late"


async def test_a_lock_is_given_on_if_its_taker_is_cancelled() -> None:
    lock = asyncio.Semaphore(1)
    await lock.acquire()

    async def work() -> None:
        async with lock:
            pass

    task, _ = begun_by_task(work())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    lock.release()
    assert not lock.locked()
    await lock.acquire()
    # Had the cancellation not reached what was waited for, there would be two.
    assert lock.locked()


async def test_context_variables_are_its_own() -> None:
    seen = []

    async def work() -> None:
        token = _kept.set("inside")
        await asyncio.sleep(0)
        seen.append(_kept.get())
        _kept.reset(token)
        seen.append(_kept.get())

    _kept.set("outside")
    task, _ = begun_by_task(work())
    assert _kept.get() == "outside"
    await task
    assert seen == ["inside", "outside"]


async def test_it_is_closed_without_going_on() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    begun = Begun(work(), copy_context())
    task = asyncio.current_task()
    assert task is not None
    begun.begin(task)
    begun.close()
    assert ended == [True]

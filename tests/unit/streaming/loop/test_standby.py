"""A task that waits for work, which others begin for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from engram.streaming.loop.standby import Standby

_kept: ContextVar[str] = ContextVar("kept", default="nothing")


class Worker:
    """A task that waits until it is told to end."""

    def __init__(self) -> None:
        self.standby = Standby()
        self.is_over = False
        self.task = asyncio.get_running_loop().create_task(self.standby.wait_for(lambda: self.is_over))

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        return self.standby.begin(work)

    async def end(self) -> None:
        self.is_over = True
        self.standby.notify()
        await self.task


async def test_work_is_done_at_once_in_the_name_of_the_task() -> None:
    worker, done = Worker(), []

    async def work() -> None:
        done.append(asyncio.current_task())

    assert not worker.begin(work)
    await asyncio.sleep(0)
    assert worker.begin(work)
    assert worker.begin(work)
    assert done == [worker.task] * 2
    await worker.end()


async def test_the_task_is_not_free_while_work_waits() -> None:
    worker, gate, done = Worker(), asyncio.Event(), []

    async def work() -> None:
        await gate.wait()
        done.append(asyncio.current_task())

    await asyncio.sleep(0)
    assert worker.begin(work)
    for _ in range(3):
        assert not worker.standby.is_free
        await asyncio.sleep(0)
    gate.set()
    await worker.end()
    assert done == [worker.task]


async def test_nothing_is_begun_in_the_middle_of_other_work() -> None:
    worker, begun = Worker(), []

    async def work() -> None:
        begun.append(worker.begin(work))

    await asyncio.sleep(0)
    assert worker.begin(work)
    assert begun == [False]
    await worker.end()


@pytest.mark.parametrize("waits", [False, True])
async def test_the_task_fails_with_its_work(waits: bool) -> None:
    worker = Worker()

    async def work() -> None:
        if waits:
            await asyncio.sleep(0)
        raise ValueError("of the work")

    await asyncio.sleep(0)
    assert worker.begin(work)
    assert not worker.standby.is_free
    with pytest.raises(ValueError, match="of the work"):
        await worker.task


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_a_cancellation_of_the_task_cancels_its_work(turns: int) -> None:
    worker, ended = Worker(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(asyncio.current_task())
            raise

    await asyncio.sleep(0)
    worker.begin(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    worker.task.cancel()
    await asyncio.gather(worker.task, return_exceptions=True)
    assert worker.task.cancelled()
    assert ended == [worker.task]


async def test_work_that_cancels_its_own_task_ends_with_it() -> None:
    worker, ended = Worker(), []

    async def work() -> None:
        worker.task.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            ended.append(True)
            raise

    await asyncio.sleep(0)
    worker.begin(work)
    await asyncio.gather(worker.task, return_exceptions=True)
    assert worker.task.cancelled()
    assert ended == [True]


async def test_a_task_that_is_cancelled_is_not_free() -> None:
    worker = Worker()
    await asyncio.sleep(0)
    worker.task.cancel()
    assert not worker.standby.is_free
    await asyncio.gather(worker.task, return_exceptions=True)


async def test_all_work_has_the_same_context() -> None:
    worker, seen = Worker(), []

    async def work(value: str) -> None:
        seen.append(_kept.get())
        await asyncio.sleep(0)
        _kept.set(value)

    await asyncio.sleep(0)
    worker.begin(lambda: work("first"))
    while not worker.standby.is_free:  # noqa: ASYNC110 - turns of the event loop.
        await asyncio.sleep(0)
    worker.begin(lambda: work("second"))
    await worker.end()
    await worker.standby.run(work("third"))
    assert seen == ["nothing", "first", "second"]
    assert _kept.get() == "nothing"

"""The event loop of blocking clients: wherever the wait for it is interrupted, it goes on with the calls of others."""

from __future__ import annotations

import asyncio
import itertools
import threading
from concurrent.futures import CancelledError

import pytest

from engram.client.threads.loop_thread import LoopThread
from tests.doubles.interrupts import everywhere
from tests.doubles.waiting import TIMEOUT_S


@pytest.fixture
def thread() -> LoopThread:
    return LoopThread.shared()


def goes_on(thread: LoopThread) -> bool:
    reached = threading.Event()
    thread._loop.call_soon_threadsafe(reached.set)
    return reached.wait(TIMEOUT_S)


# The interrupt may come before the coroutine is there to be closed, and in what the interpreter calls by itself.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_wherever_a_call_is_interrupted_others_go_on(thread: LoopThread) -> None:
    ended: list[str] = []

    async def call() -> None:
        try:
            await asyncio.sleep(0)
            ended.append("by itself")
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    places = 0
    for place in everywhere(itertools.repeat(lambda: thread.run(call()))):
        assert goes_on(thread), place
        places += 1
    assert places > 10
    assert ended[-1] == "by itself"


def test_results_and_errors_are_passed_on(thread: LoopThread) -> None:
    async def answered() -> int:
        return 7

    async def failed() -> None:
        raise LookupError("nothing there")

    async def cancelled() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    assert thread.run(answered()) == 7
    with pytest.raises(LookupError, match="nothing there"):
        thread.run(failed())
    with pytest.raises(CancelledError):
        thread.run(cancelled())

"""Futures whose waiters are interrupted: whoever sets the result is never kept from it."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

import pytest

from engram.client.threads.interruptible_future import InterruptibleFuture
from tests.doubles.interrupts import everywhere
from tests.doubles.waiting import TIMEOUT_S


def test_wherever_the_wait_is_interrupted_the_result_can_be_set() -> None:
    futures: list[Future[int]] = []

    def waits() -> Iterator[Callable[[], object]]:
        while True:
            futures.append(InterruptibleFuture())
            yield partial(_wait_briefly, futures[-1])

    for place in everywhere(waits()):
        setting = threading.Thread(target=futures[-1].set_result, args=(7,), daemon=True)
        setting.start()
        setting.join(TIMEOUT_S)
        assert not setting.is_alive(), place
        assert futures[-1].result() == 7
    assert len(futures) > 10


def _wait_briefly(future: Future[int]) -> None:
    with suppress(concurrent.futures.TimeoutError):
        future.result(0.001)


def test_it_is_a_future_like_others() -> None:
    first: Future[int] = InterruptibleFuture()
    second: Future[int] = InterruptibleFuture()
    with pytest.raises(concurrent.futures.TimeoutError):
        first.result(0)
    done, waiting = concurrent.futures.wait([first, second], 0)
    assert (done, waiting) == (set(), {first, second})
    told: list[Future[int]] = []
    first.add_done_callback(told.append)
    setter = threading.Timer(0, first.set_result, (1,))
    setter.start()
    assert concurrent.futures.wait([first, second], TIMEOUT_S, concurrent.futures.FIRST_COMPLETED).done == {first}
    setter.join()
    assert told == [first]
    assert second.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        second.result()
    third: Future[int] = InterruptibleFuture()
    third.set_exception(LookupError())
    assert isinstance(third.exception(), LookupError)


def test_whoever_polls_leaves_nothing_behind() -> None:
    future: InterruptibleFuture[int] = InterruptibleFuture()
    for _ in range(5):
        _wait_briefly(future)
    assert not future._condition._waiters  # type: ignore[attr-defined]  # That nothing piles up shows nowhere else.
    future.set_result(7)
    assert future.result() == 7

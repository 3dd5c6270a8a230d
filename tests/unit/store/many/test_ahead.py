"""Work ahead has one result, wherever it is done."""

from __future__ import annotations

import threading

import pytest

from engram.store.many.ahead import Ahead
from tests.doubles.waiting import TIMEOUT_S


def test_the_work_goes_on_before_its_result_is_asked_for() -> None:
    done = threading.Event()

    def work() -> threading.Thread:
        done.set()
        return threading.current_thread()

    ahead = Ahead(work)
    assert done.wait(TIMEOUT_S)
    assert ahead.result() is not threading.current_thread()


@pytest.mark.parametrize("error", [ValueError("damaged"), KeyboardInterrupt()])
def test_what_it_raises_is_raised_to_whoever_asks(error: BaseException) -> None:
    def work() -> None:
        raise error

    ahead = Ahead(work)
    ahead.end()
    with pytest.raises(type(error)) as raised:
        ahead.result()
    assert raised.value is error


def test_the_end_waits_for_the_work_also_if_nobody_asks() -> None:
    begun, goes_on, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        goes_on.wait(TIMEOUT_S)
        done.set()

    ahead = Ahead(work)
    assert begun.wait(TIMEOUT_S)
    assert not done.is_set()
    goes_on.set()
    ahead.end()
    assert done.is_set()


def test_without_a_thread_whoever_asks_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    ahead = Ahead(threading.current_thread)
    ahead.end()
    assert ahead.result() is threading.current_thread()

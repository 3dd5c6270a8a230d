"""Callbacks of futures: they run off the event loop, in order, and none of them stops the others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from engram.client.threads import callback_thread
from engram.client.threads.callback_thread import AnswerFuture, CallbackThread
from engram.errors import OverCapacity
from engram.model.ack import Ack

WAIT_S = 60.0
ACK = Ack(1, 1, 1, 1)


@pytest.fixture
def callbacks() -> Iterator[CallbackThread]:
    thread = CallbackThread()
    yield thread
    thread.end(WAIT_S)


def test_a_callback_runs_on_the_thread_and_one_of_an_answered_future_at_once(callbacks: CallbackThread) -> None:
    future, ran = AnswerFuture(callbacks), list[str]()
    future.add_done_callback(lambda _: ran.append(threading.current_thread().name))
    future.set_result(ACK)
    assert callbacks.finish(WAIT_S)
    future.add_done_callback(lambda _: ran.append(threading.current_thread().name))
    assert ran == ["engram-callbacks", threading.current_thread().name]


def test_callbacks_run_in_the_order_of_the_answers_although_one_fails(
    callbacks: CallbackThread, caplog: pytest.LogCaptureFixture
) -> None:
    futures, ran = [AnswerFuture(callbacks) for _ in range(4)], list[int]()

    def run(number: int, _: object) -> None:
        if number == 1:
            raise SystemExit("mine")
        ran.append(number)

    for number, future in enumerate(futures):
        future.add_done_callback(partial(run, number))
    for number in (2, 1, 3, 0):
        futures[number].set_result(ACK)
    assert callbacks.finish(WAIT_S)
    assert ran == [2, 3, 0]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_callback_does_not_wait_for_itself(callbacks: CallbackThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_thread, "WAITING_MAX", 0)
    future, seen, others = AnswerFuture(callbacks), list[bool](), threading.Event()
    future.add_done_callback(lambda _: others.wait(WAIT_S))
    future.add_done_callback(lambda _: seen.extend([callbacks.is_full, callbacks.finish(WAIT_S)]))
    future.add_done_callback(lambda _: None)
    future.set_result(ACK)
    assert callbacks.is_full
    assert not callbacks.finish(0.0)
    with pytest.raises(OverCapacity) as refusal:
        callbacks.wait_for_room(0.0)
    assert (refusal.value.code, refusal.value.field) == ("answers_full", "answers")
    others.set()
    callbacks.wait_for_room(WAIT_S)
    assert callbacks.finish(WAIT_S)
    assert seen == [False, True]
    assert not callbacks.is_full


def test_a_callback_that_hangs_is_left_with_a_warning(
    callbacks: CallbackThread, caplog: pytest.LogCaptureFixture
) -> None:
    future, going = AnswerFuture(callbacks), threading.Event()
    future.add_done_callback(lambda _: going.wait(WAIT_S))
    future.set_result(ACK)
    callbacks.end(0.0)
    assert "did not end within 0 s" in caplog.text
    going.set()


def test_without_callbacks_there_is_no_thread() -> None:
    callbacks = CallbackThread()
    AnswerFuture(callbacks).set_result(ACK)
    assert callbacks.finish(0.0)
    callbacks.end(0.0)
    assert not callbacks._thread.is_alive()

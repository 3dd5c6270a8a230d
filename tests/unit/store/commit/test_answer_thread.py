"""The thread that settles futures."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest

from engram.errors import OverCapacity, Unavailable
from engram.model.ack import Ack
from engram.store.commit.answer_thread import AnswerThread
from tests.doubles.waiting import TIMEOUT_S

ACK = Ack(0, 0, 1, 1)


def future_of(callback: Any = None) -> Future[Ack]:
    future: Future[Ack] = Future()
    future.set_running_or_notify_cancel()
    if callback is not None:
        future.add_done_callback(callback)
    return future


def held(answers: AnswerThread) -> threading.Event:
    """Keep the thread in a callback until the event that is returned."""
    entered, release = threading.Event(), threading.Event()

    def callback(_: Future[Ack]) -> None:
        entered.set()
        assert release.wait(TIMEOUT_S)

    answers.start()
    answers.put(future_of(callback), ACK)
    assert entered.wait(TIMEOUT_S)
    return release


def test_futures_are_settled_in_order_on_one_other_thread() -> None:
    answers, seen = AnswerThread(), []
    answers.start()
    for number in range(50):
        answers.put(
            future_of(lambda future: seen.append((future.result(), threading.current_thread().name))),
            Ack(0, 0, number, number),
        )
    answers.stop()
    assert seen == [(number, "engram-answers") for number in range(50)]


def test_errors_are_answers() -> None:
    answers, future = AnswerThread(), future_of()
    answers.start()
    answers.put(future, Unavailable("gone"))
    with pytest.raises(Unavailable, match="gone"):
        future.result(TIMEOUT_S)
    answers.stop()


def test_the_thread_starts_with_need_and_ends_with_stop() -> None:
    before = threading.active_count()
    answers = AnswerThread()
    assert threading.active_count() == before
    answers.start()
    answers.start()
    assert threading.active_count() == before + 1
    answers.stop()
    answers.stop()
    answers.start()
    assert threading.active_count() == before


def test_stopping_settles_everything_and_later_ones_are_settled_at_once() -> None:
    answers = AnswerThread()
    release = held(answers)
    waiting, late = future_of(), future_of()
    answers.put(waiting, ACK)
    assert not waiting.done()
    release.set()
    answers.stop()
    answers.put(late, ACK)
    assert (waiting.result(0), late.result(0)) == (1, 1)


def test_a_callback_may_stop_it() -> None:
    answers = AnswerThread()
    answers.start()
    stopped = threading.Event()

    def callback(_: Future[Ack]) -> None:
        answers.stop()
        stopped.set()

    answers.put(future_of(callback), ACK)
    assert stopped.wait(TIMEOUT_S)
    answers.stop()


def test_a_callback_that_raises_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    def exits(_: Future[Ack]) -> None:
        raise SystemExit

    answers, after = AnswerThread(), future_of()
    answers.start()
    answers.put(future_of(exits), ACK)
    answers.put(after, ACK)
    assert after.result(TIMEOUT_S) == 1
    answers.stop()
    assert "a callback of an answer raised" in caplog.text


def test_too_many_answers_make_callers_wait() -> None:
    answers = AnswerThread(count_max=2)
    release = held(answers)
    for _ in range(2):
        answers.put(future_of(), ACK)
    with pytest.raises(OverCapacity) as refusal:
        answers.wait_for_room(0.0)
    assert (refusal.value.code, refusal.value.limit, refusal.value.value) == ("answers_full", "2", "2")
    done = threading.Event()

    def wait() -> None:
        answers.wait_for_room(TIMEOUT_S)
        done.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    release.set()
    assert done.wait(TIMEOUT_S)
    waiter.join()
    answers.stop()


def test_a_callback_does_not_wait_for_itself() -> None:
    answers = AnswerThread(count_max=1)
    release = held(answers)
    raised: list[OverCapacity] = []

    def callback(_: Future[Ack]) -> None:
        try:
            answers.wait_for_room(TIMEOUT_S)
        except OverCapacity as error:
            raised.append(error)

    answers.put(future_of(callback), ACK)
    answers.put(future_of(), ACK)
    release.set()
    answers.stop()
    assert [error.code for error in raised] == ["answers_full"]

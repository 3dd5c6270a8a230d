"""The thread beside the committer."""

from __future__ import annotations

import threading

import pytest

from engram.store.commit.serial_executor import SerialExecutor


def test_work_is_done_in_order_on_one_other_thread() -> None:
    executor, seen = SerialExecutor("beside"), []

    def note(number: int) -> None:
        seen.append((number, threading.current_thread().name))

    futures = [executor.begin(lambda number=number: note(number)) for number in range(50)]  # type: ignore[misc]
    for future in futures:
        assert future.result() is None
    executor.stop()
    assert seen == [(number, "beside") for number in range(50)]


def test_a_failure_reaches_who_asked_and_nobody_else() -> None:
    executor = SerialExecutor("beside")
    failed = executor.begin({}.popitem)  # type: ignore[arg-type]
    assert executor.begin(lambda: None).result() is None
    with pytest.raises(KeyError):
        failed.result()
    executor.stop()


def test_stopping_without_work() -> None:
    SerialExecutor("beside").stop()

"""Index threads: wake-ups, turns, supervision, shutdown."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from doubles.waiting import TIMEOUT_S
from engram.spaces import SpaceConfig
from engram.store.space import Space
from engram.store.workers import Workers


@dataclass
class FakeIndexing:
    """A tail of a given length, linked ten at a time."""

    tail: int = 0
    failures: int = 0
    turns: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def link(self) -> int:
        with self.guard:
            self.turns += 1
            if self.failures:
                self.failures -= 1
                raise MemoryError("no room for the graph")
            linked = min(self.tail, 10)
            self.tail -= linked
            if not self.tail:
                self.done.set()
            return linked


class FakeSpace:
    def __init__(self, name: str = "fake", tail: int = 0, failures: int = 0) -> None:
        self.config = SpaceConfig(name)
        self.indexing = FakeIndexing(tail, failures)


def as_space(fake: FakeSpace) -> Space:
    return cast("Space", fake)


@pytest.fixture
def start() -> Any:
    started: list[Workers] = []

    def make(count: int = 2, linked: Callable[[Space], None] = lambda _: None) -> Workers:
        workers = Workers(count, linked)
        started.append(workers)
        workers.start()
        return workers

    yield make
    for workers in started:
        workers.stop()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_tail_is_linked_to_the_end(start: Callable[..., Workers], count: int) -> None:
    workers = start(count)
    spaces = [FakeSpace(f"space-{number}", tail=237) for number in range(3)]
    for space in spaces:
        workers.notify(as_space(space))
    for space in spaces:
        assert space.indexing.done.wait(TIMEOUT_S)


def test_every_notification_gets_at_least_a_look(start: Callable[..., Workers]) -> None:
    looked = threading.Semaphore(0)
    workers = start(1, lambda _: looked.release())
    space = FakeSpace()
    for _ in range(50):
        workers.notify(as_space(space))
        assert looked.acquire(timeout=TIMEOUT_S)


def test_idle_workers_do_nothing(start: Callable[..., Workers]) -> None:
    looked = threading.Semaphore(0)
    workers = start(1, lambda _: looked.release())
    space = FakeSpace(tail=25)
    workers.notify(as_space(space))
    # Three turns link something, the fourth finds nothing; then the worker waits until it is told.
    for _ in range(4):
        assert looked.acquire(timeout=TIMEOUT_S)
    other = FakeSpace("other", tail=1)
    workers.notify(as_space(other))
    for _ in range(2):
        assert looked.acquire(timeout=TIMEOUT_S)
    assert (space.indexing.turns, other.indexing.turns) == (4, 2)


def test_a_worker_that_found_nothing_does_not_speak_for_one_at_work(start: Callable[..., Workers]) -> None:
    class Seeding(FakeIndexing):
        """The first turn must be over before others can link, and they are told that there is nothing."""

        def __init__(self) -> None:
            super().__init__()
            self.other_was_told = threading.Event()

        def link(self) -> int:
            with self.guard:
                self.turns += 1
                turn = self.turns
            if turn == 1:
                assert self.other_was_told.wait(TIMEOUT_S)
                return 64
            if turn == 2:
                return 0
            self.done.set()
            return 0

    space = FakeSpace()
    space.indexing = indexing = Seeding()
    # Called when a turn is over, with its outcome already taken account of.
    start(2, lambda _: indexing.other_was_told.set()).notify(as_space(space))
    assert indexing.done.wait(TIMEOUT_S)


def test_a_failing_worker_starts_over(start: Callable[..., Workers], caplog: pytest.LogCaptureFixture) -> None:
    workers = start(1)
    space = FakeSpace(tail=30, failures=3)
    workers.notify(as_space(space))
    assert space.indexing.done.wait(TIMEOUT_S)
    assert workers.failures == 3
    assert "no room for the graph" in caplog.text


def test_stopping_does_not_wait_for_the_tail_or_for_a_pause(start: Callable[..., Workers]) -> None:
    workers = start(2)
    space = FakeSpace(tail=10**12)
    failing = FakeSpace("failing", tail=1, failures=10**12)
    workers.notify(as_space(space))
    workers.notify(as_space(failing))
    workers.stop()
    assert not any(thread.name.startswith("engram-worker") for thread in threading.enumerate())


def test_stopping_workers_that_never_started() -> None:
    Workers(2, lambda _: None).stop()

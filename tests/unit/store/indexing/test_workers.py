"""Index threads: wake-ups, turns, supervision, shutdown."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import pytest

from engram.model.spaces import SpaceConfig
from engram.store.indexing.workers import FaultPoint, Workers, batch_size
from engram.store.space_engine import SpaceEngine
from tests.doubles.waiting import TIMEOUT_S


@dataclass
class FakeIndexing:
    """A tail of a given length, linked ten at a time."""

    tail: int = 0
    failures: int = 0
    turns: int = 0
    told: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def pending(self) -> int:
        return self.tail

    def link(self, count_max: int) -> int:
        with self.guard:
            self.turns += 1
            if self.failures:
                self.failures -= 1
                raise MemoryError("no room for the graph")
            linked = min(self.tail, count_max, 10)
            self.tail -= linked
            if not self.tail:
                self.done.set()
            return linked

    def announce(self) -> None:
        self.told += 1


class FakeSpace:
    def __init__(self, name: str = "fake", tail: int = 0, failures: int = 0) -> None:
        self.config = SpaceConfig(name)
        self.indexing = FakeIndexing(tail, failures)


def as_space(fake: FakeSpace) -> SpaceEngine:
    return cast("SpaceEngine", fake)


@pytest.fixture
def start(own_threads: Callable[[], list[str]]) -> Any:
    started: list[Workers] = []

    def make(
        count: int = 2,
        linked: Callable[[SpaceEngine], None] = lambda _: None,
        fault: Callable[[FaultPoint], None] = lambda _: None,
        steal_threshold: int = 1000,
    ) -> Workers:
        workers = Workers(count, steal_threshold, linked, fault)
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


def test_several_workers_share_one_hot_space(start: Callable[..., Workers]) -> None:
    class Meeting(FakeIndexing):
        """The first turn of each worker is over when both have linked something."""

        def __init__(self) -> None:
            super().__init__(tail=100)
            self.both = threading.Barrier(2)
            self.met: set[int] = set()

        def link(self, count_max: int) -> int:
            linked = super().link(count_max)
            if threading.get_ident() not in self.met:
                self.met.add(threading.get_ident())
                self.both.wait(TIMEOUT_S)
            return linked

    space = FakeSpace()
    space.indexing = Meeting()
    workers = start(2, steal_threshold=1)
    workers.notify(as_space(space))
    workers.stop(TIMEOUT_S)
    home, thief = sorted(workers.statistics(), key=lambda worker: worker.stolen)
    assert home.observations + thief.observations == 100
    assert (home.stolen, thief.stolen) == (0, thief.batches)
    assert thief.batches > 0


def test_statistics_tell_who_did_what(start: Callable[..., Workers]) -> None:
    workers = start(1)
    space = FakeSpace(tail=25)
    workers.notify(as_space(space))
    workers.stop(TIMEOUT_S)
    (worker,) = workers.statistics()
    assert (worker.number, worker.batches, worker.observations, worker.stolen, worker.restarts) == (0, 3, 25, 0, 0)
    assert worker.busy_s > 0


def test_a_worker_that_does_not_get_on_with_a_task_is_busy(start: Callable[..., Workers]) -> None:
    goes_on, is_stuck = threading.Event(), threading.Event()

    def fault(at: FaultPoint) -> None:
        if at == "before link":
            is_stuck.set()
            assert goes_on.wait(TIMEOUT_S)

    workers = start(1, fault=fault)
    workers.notify(as_space(FakeSpace(tail=5)))
    assert is_stuck.wait(TIMEOUT_S)
    first, second = (workers.statistics()[0].busy_s for _ in range(2))
    goes_on.set()
    workers.stop(TIMEOUT_S)
    assert 0 < first < second < workers.statistics()[0].busy_s


class Killed(BaseException):
    """Not an `Exception`: a worker is replaced whatever it dies of."""


@pytest.mark.parametrize("point", ["before link", "after link", "between tasks"])
def test_a_killed_worker_is_replaced_and_its_turn_is_done_again(
    start: Callable[..., Workers], point: str, caplog: pytest.LogCaptureFixture
) -> None:
    lives: list[int] = []
    deaths = iter(range(3))

    def fault(at: FaultPoint) -> None:
        lives.append(threading.get_ident())
        if at == point and next(deaths, None) is not None:
            raise Killed

    workers = start(1, fault=fault)
    space = FakeSpace(tail=30)
    workers.notify(as_space(space))
    workers.stop(TIMEOUT_S)
    assert space.indexing.tail == 0
    # The turn that found nothing left was also told of.
    assert space.indexing.told >= 1
    (worker,) = workers.statistics()
    assert (worker.restarts, worker.observations) == (3, 30)
    assert caplog.text.count("it is replaced") == 3


def test_what_a_dying_worker_linked_is_told_by_its_successor(start: Callable[..., Workers]) -> None:
    deaths = iter(range(1))

    def fault(at: FaultPoint) -> None:
        if at == "after link" and next(deaths, None) is not None:
            raise Killed

    workers = start(1, fault=fault)
    space = FakeSpace(tail=10)
    workers.notify(as_space(space))
    workers.stop(TIMEOUT_S)
    assert (space.indexing.tail, space.indexing.turns, space.indexing.told) == (0, 2, 1)


def test_a_worker_for_which_there_is_no_new_thread_goes_on(
    start: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = start(1)

    def no_threads(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_threads)
    space = FakeSpace(tail=30, failures=2)
    workers.notify(as_space(space))
    assert space.indexing.done.wait(TIMEOUT_S)
    workers.stop(TIMEOUT_S)
    assert workers.restarts == 2


def test_a_failing_space_does_not_keep_others_from_being_linked(
    start: Callable[..., Workers], caplog: pytest.LogCaptureFixture
) -> None:
    workers = start(1)
    failing, sound = FakeSpace("failing", tail=1, failures=10**9), FakeSpace("sound", tail=30)
    workers.notify(as_space(failing))
    workers.notify(as_space(sound))
    assert sound.indexing.done.wait(TIMEOUT_S)
    assert "no room for the graph" in caplog.text


def test_stopping_does_not_wait_for_the_tail_or_for_a_pause(
    start: Callable[..., Workers], own_threads: Callable[[], list[str]]
) -> None:
    workers = start(2)
    space = FakeSpace(tail=10**12)
    failing = FakeSpace("failing", tail=1, failures=10**12)
    workers.notify(as_space(space))
    workers.notify(as_space(failing))
    workers.stop()
    assert own_threads() == []


def test_stopping_waits_for_what_fails_no_longer_than_it_is_told(
    start: Callable[..., Workers], own_threads: Callable[[], list[str]]
) -> None:
    workers = start(2)
    workers.notify(as_space(FakeSpace("failing", tail=1, failures=10**12)))
    workers.stop(0.05)
    assert own_threads() == []


def drain_under_fire(start: Callable[..., Workers], own_threads: Callable[[], list[str]], number: int) -> None:
    """Work arrives, workers die, and in the middle of it all they are told to finish."""
    random = Random(number)
    deaths = threading.Semaphore(random.randrange(4))

    def fault(_: FaultPoint) -> None:
        if random.random() < 0.1 and deaths.acquire(blocking=False):
            raise Killed

    workers = start(random.randint(1, 5), fault=fault, steal_threshold=random.choice([0, 20, 1000]))
    spaces = [FakeSpace(f"space-{i}", tail=random.randrange(200)) for i in range(random.randint(1, 6))]
    notifiers = [threading.Thread(target=workers.notify, args=(as_space(space),)) for space in spaces]
    for notifier in notifiers:
        notifier.start()
    for notifier in notifiers:
        notifier.join()
    workers.stop(TIMEOUT_S)
    assert own_threads() == []
    assert [space.indexing.tail for space in spaces] == [0] * len(spaces)
    assert all(space.indexing.told for space in spaces)


@pytest.mark.parametrize("rounds", [20, pytest.param(500, marks=pytest.mark.campaign)])
def test_stopping_links_what_waits_every_time(
    start: Callable[..., Workers], own_threads: Callable[[], list[str]], rounds: int
) -> None:
    for number in range(rounds):
        drain_under_fire(start, own_threads, number)


def test_stopping_workers_that_never_started() -> None:
    Workers(2, 1000, lambda _: None).stop(TIMEOUT_S)


@pytest.mark.parametrize(
    ("pending", "expected"), [(0, 10), (99, 10), (100, 100), (999, 100), (1000, 500), (10**6, 500)]
)
def test_batches_grow_with_what_waits(pending: int, expected: int) -> None:
    assert batch_size(pending) == expected

"""Latencies of observations: each counts once when it is durable, and once when it is indexed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engram.metrics import table
from engram.metrics.samples import MetricSamples
from engram.store.commit.queue import CommitResult
from engram.streaming import observation_latency
from engram.streaming.observation_latency import UNINDEXED_MAX, ObservationLatency
from tests.doubles.fake_space import FakeSpace, ManualClock

NAME = table.OBSERVATION_LATENCY.name


class Direct:
    """A mailbox that delivers at once."""

    def post(self, receive: Callable[[Any], None], item: Any) -> None:
        receive(item)


class World:
    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.space: Any = FakeSpace()
        mailbox: Any = Direct()
        self.latency = ObservationLatency(mailbox)

    def store(self, count: int, took_s: float = 0.0, duplicate: bool = False) -> None:
        received_s = self.clock.now_s
        self.clock.advance(took_s)
        first = self.space.generation + 1
        self.space.generation += count
        self.latency.note_stored(self.space, CommitResult(first, first + count - 1, count, duplicate), received_s)

    def counted(self, stage: str) -> tuple[float, float]:
        """How many observations were counted, and their seconds in all."""
        samples = MetricSamples(self.latency.samples())
        return samples.value(f"{NAME}_count", stage=stage), samples.value(f"{NAME}_sum", stage=stage)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    clock = ManualClock()
    monkeypatch.setattr(observation_latency, "perf_counter", clock)
    return World(clock)


def test_every_observation_of_a_batch_counts_with_the_time_of_the_batch(world: World) -> None:
    world.store(10, took_s=0.5)
    assert world.counted("durable") == (10, 5.0)
    assert world.counted("indexed") == (0, 0)
    world.clock.advance(1.5)
    world.space.index_up_to(10)
    assert world.counted("indexed") == (10, 20.0)


def test_a_batch_counts_as_indexed_when_all_of_it_is_and_never_again(world: World) -> None:
    world.store(10)
    world.store(5)
    world.clock.advance(1.0)
    world.space.index_up_to(9)
    assert world.counted("indexed") == (0, 0)
    world.space.index_up_to(12)
    assert world.counted("indexed") == (10, 10.0)
    for _ in range(2):
        world.space.index_up_to(15)
    assert world.counted("indexed") == (15, 15.0)


def test_what_was_indexed_before_its_result_came_counts_at_once(world: World) -> None:
    world.space.index_up_to(10)
    world.store(10, took_s=0.25)
    assert world.counted("indexed") == (10, 2.5)


def test_duplicates_and_what_stored_nothing_do_not_count(world: World) -> None:
    world.store(3, duplicate=True)
    world.latency.note_stored(world.space, CommitResult(0, 0, 0), 0.0)
    world.space.index_up_to(3)
    assert world.counted("durable") == world.counted("indexed") == (0, 0)


def test_what_is_remembered_is_bounded_and_no_observation_is_lost(world: World) -> None:
    for _ in range(3 * UNINDEXED_MAX):
        world.store(1)
    (waiting,) = world.latency._unindexed.values()
    assert len(waiting) == UNINDEXED_MAX
    world.space.index_up_to(3 * UNINDEXED_MAX)
    assert world.counted("indexed")[0] == 3 * UNINDEXED_MAX
    assert not waiting

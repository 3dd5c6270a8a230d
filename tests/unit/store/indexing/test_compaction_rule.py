"""When a graph is compacted: soon enough that little of it is of no use, and seldom enough that this costs little."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from engram.store.indexing.compaction_rule import LASTING_S, CompactionRule


class Graph:
    """What a rule asks a graph: how many versions live, and at which generations the others ended."""

    def __init__(self, live: int, ended_at: list[int] | None = None) -> None:
        self.live_count = live
        self.ended_at = ended_at or []
        self.counted = 0

    def __len__(self) -> int:
        return self.live_count + self.dead_count

    @property
    def dead_count(self) -> int:
        return len(self.ended_at)

    def droppable_count(self, horizon: int) -> int:
        self.counted += 1
        return sum(at <= horizon for at in self.ended_at)

    def kill(self, count: int, at: int) -> None:
        self.live_count -= count
        self.ended_at += [at] * count

    def compact(self, horizon: int) -> int:
        """Drop what ended; how many versions go."""
        before = self.dead_count
        self.ended_at = [at for at in self.ended_at if at > horizon]
        return before - self.dead_count


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rule(clock: Clock) -> CompactionRule:
    return CompactionRule(10, clock)


def is_due(rule: CompactionRule, graph: Any, horizon: int = 1000) -> bool:
    return rule.is_due(graph, lambda: horizon)


@pytest.mark.parametrize(("live", "dead", "due"), [(100, 100, True), (100, 99, False), (9, 9, False), (10, 10, True)])
def test_as_many_as_stay_are_dropped_at_once(rule: CompactionRule, live: int, dead: int, due: bool) -> None:
    assert is_due(rule, Graph(live, [1] * dead)) == due


@pytest.mark.parametrize(("live", "dead", "due"), [(100, 50, True), (100, 49, False), (18, 9, False), (20, 10, True)])
def test_a_third_is_dropped_once_that_has_lasted(
    rule: CompactionRule, clock: Clock, live: int, dead: int, due: bool
) -> None:
    graph = Graph(live, [1] * dead)
    assert not is_due(rule, graph)
    clock.now_s += LASTING_S - 1
    assert not is_due(rule, graph)
    clock.now_s += 1
    assert is_due(rule, graph) == due


def test_a_third_that_was_less_in_between_has_to_last_anew(rule: CompactionRule, clock: Clock) -> None:
    graph = Graph(100, [1] * 50)
    assert not is_due(rule, graph)
    graph.live_count = 101
    clock.now_s += LASTING_S
    assert not is_due(rule, graph)
    graph.live_count = 100
    assert not is_due(rule, graph)
    clock.now_s += LASTING_S
    assert is_due(rule, graph)
    rule.begin_anew()
    assert not is_due(rule, graph)


def test_what_is_retained_stays_until_the_horizon_has_passed(rule: CompactionRule, clock: Clock) -> None:
    graph = Graph(120, [500] * 100)
    for _ in range(3):
        clock.now_s += 10 * LASTING_S
        assert not is_due(rule, graph, horizon=499)
    assert not is_due(rule, graph, horizon=510)
    clock.now_s += LASTING_S
    assert is_due(rule, graph, horizon=510)
    # What is retained counts as what stays: here twice as many as can be dropped, and more.
    for retained, due in ((80, True), (81, False)):
        graph = Graph(120, [500] * 100 + [600] * retained)
        rule.begin_anew()
        is_due(rule, graph, horizon=510)
        clock.now_s += LASTING_S
        assert is_due(rule, graph, horizon=510) == due


def test_nothing_is_counted_while_little_is_dead(rule: CompactionRule) -> None:
    for graph in (Graph(100, [1] * 49), Graph(10, [1] * 9), Graph(100)):
        assert not is_due(rule, graph)
        assert graph.counted == 0


def test_it_is_counted_anew_only_when_the_horizon_has_moved_by_a_hundredth(rule: CompactionRule) -> None:
    graph = Graph(300, list(range(1, 301)))
    for horizon, counted in ((100, 1), (100, 1), (105, 1), (106, 2), (111, 2), (112, 3), (111, 4), (111, 4)):
        is_due(rule, graph, horizon)
        assert graph.counted == counted, horizon


def test_a_horizon_that_moves_back_has_nothing_compacted_in_vain(rule: CompactionRule) -> None:
    """Somebody holds a snapshot from before most of it ended."""
    graph = Graph(100, [500] * 100)
    assert is_due(rule, graph, horizon=500)
    assert not is_due(rule, graph, horizon=499)


def test_after_a_compaction_nothing_is_due(rule: CompactionRule, clock: Clock) -> None:
    graph = Graph(100, [500] * 100 + [900] * 60)
    assert not is_due(rule, graph, horizon=800)
    clock.now_s += LASTING_S
    assert is_due(rule, graph, horizon=800)
    assert graph.compact(800) == 100
    rule.begin_anew()
    for _ in range(3):
        assert not is_due(rule, graph, horizon=800)
        clock.now_s += LASTING_S


@pytest.mark.parametrize("seed", range(20))
def test_whatever_dies_when_the_work_is_bounded_and_little_is_left(seed: int) -> None:
    random, clock = Random(seed), Clock()
    rule, graph = CompactionRule(10, clock), Graph(500)
    generation, retained = 500, random.choice([0, 50, 400])
    linked = dropped = 0

    def look() -> None:
        nonlocal linked, dropped
        horizon = generation - retained
        if is_due(rule, graph, horizon):
            gone = graph.compact(horizon)
            rule.begin_anew()
            assert gone > 0
            linked, dropped = linked + len(graph), dropped + gone

    for _ in range(400):
        clock.now_s += random.choice([0.1, 1.0, LASTING_S])
        for _ in range(random.randrange(30)):
            generation += 1
            if random.random() < 0.5 and graph.live_count:
                graph.kill(1, generation)
            else:
                graph.live_count += 1
        look()
    assert dropped
    assert linked <= 2 * dropped
    # Nothing is written any more; but generations that others end move the horizon behind all of it.
    generation += retained
    for _ in range(2):
        look()
        clock.now_s += LASTING_S
    look()
    assert graph.droppable_count(generation - retained) <= max(10, len(graph) // 3 + len(graph) // 100 + 1)

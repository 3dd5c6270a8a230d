"""Usage: what a space has in a lane, as part of an equal share of it."""

from __future__ import annotations

from typing import Any

from engram.model.priority import Priority
from engram.streaming.lanes.lane import LaneStatistics
from engram.streaming.pressure.usage import Held, Usage
from tests.doubles.fake_space import FakeSpace

RED: Any = FakeSpace("red")
BLUE: Any = FakeSpace("blue")
LANE = LaneStatistics(Priority.LOW, 0, 100, 0, 1000, 0, 0)


def held(space: Any, count: int, nbytes: int = 0) -> Held:
    return Held(space, Priority.LOW, count, nbytes)


def test_who_is_alone_has_the_whole_lane() -> None:
    usage = Usage()
    usage.enter(held(RED, 30))
    usage.enter(held(RED, 10))
    assert usage.of_share(RED, LANE) == 0.4
    assert usage.of_share(BLUE, LANE) == 0


def test_who_shares_has_a_part() -> None:
    usage = Usage()
    usage.enter(held(RED, 60))
    usage.enter(held(BLUE, 1, 200))
    assert usage.of_share(RED, LANE) == 1.2
    assert usage.of_share(BLUE, LANE) == 0.4, "its bytes count for more than its observations"


def test_lanes_are_counted_apart_and_what_left_is_forgotten() -> None:
    usage = Usage()
    usage.enter(held(RED, 60))
    usage.enter(Held(BLUE, Priority.HIGH, 60, 10))
    assert usage.of_share(RED, LANE) == 0.6
    assert set(usage.spaces()) == {RED, BLUE}
    usage.leave(held(RED, 60))
    assert set(usage.spaces()) == {BLUE}
    assert usage.of_share(RED, LANE) == 0

"""The share of the recent past that a worker was busy."""

from __future__ import annotations

from engram.store.indexing.busy_share import WINDOW_S_MIN, BusyShare
from tests.doubles.fake_space import ManualClock


def test_the_share_is_that_of_the_time_between_two_looks() -> None:
    clock = ManualClock()
    share = BusyShare(clock)
    assert share.look(0.0) == 0.0
    clock.advance(4.0)
    assert share.look(1.0) == 0.25
    clock.advance(2.0)
    assert share.look(3.0) == 1.0
    clock.advance(100.0)
    assert share.look(3.0) == 0.0


def test_who_looks_again_too_soon_is_told_the_same() -> None:
    clock = ManualClock()
    share = BusyShare(clock)
    clock.advance(2.0)
    assert share.look(1.0) == 0.5
    clock.advance(WINDOW_S_MIN / 2)
    assert share.look(1.5) == 0.5
    clock.advance(WINDOW_S_MIN / 2)
    assert share.look(1.5) == 0.5 / WINDOW_S_MIN


def test_a_long_task_that_ends_makes_no_share_above_one() -> None:
    clock = ManualClock()
    share = BusyShare(clock)
    clock.advance(1.0)
    share.look(0.0)
    clock.advance(1.0)
    assert share.look(60.0) == 1.0

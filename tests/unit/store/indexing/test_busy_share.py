"""The time that a worker is busy, and its share of the recent past."""

from __future__ import annotations

import pytest

from engram.store.indexing.busy_share import WINDOW_S_MIN, BusyShare
from tests.doubles.fake_space import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def share(clock: ManualClock) -> BusyShare:
    return BusyShare(clock)


def work(share: BusyShare, clock: ManualClock, seconds: float) -> None:
    share.begin()
    clock.advance(seconds)
    share.end()


def test_the_share_is_that_of_the_time_between_two_looks(share: BusyShare, clock: ManualClock) -> None:
    assert share.look() == 0.0
    clock.advance(3.0)
    work(share, clock, 1.0)
    assert share.look() == 0.25
    work(share, clock, 2.0)
    assert share.look() == 1.0
    clock.advance(100.0)
    assert share.look() == 0.0
    assert share.seconds() == 3.0


def test_who_looks_again_too_soon_is_told_the_same(share: BusyShare, clock: ManualClock) -> None:
    clock.advance(1.0)
    work(share, clock, 1.0)
    assert share.look() == 0.5
    work(share, clock, WINDOW_S_MIN / 2)
    assert share.look() == 0.5
    clock.advance(WINDOW_S_MIN / 2)
    assert share.look() == 0.5


def test_a_task_that_goes_on_counts_while_it_does(share: BusyShare, clock: ManualClock) -> None:
    share.begin()
    for seconds in range(1, 60):
        clock.advance(1.0)
        assert (share.look(), share.seconds()) == (1.0, seconds)
    clock.advance(0.5)
    share.end()
    clock.advance(0.5)
    assert (share.look(), share.seconds()) == (0.5, 59.5)

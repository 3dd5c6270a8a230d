"""Fair shares of a lane: a space that is alone may fill it, and one above its share waits for the others."""

from __future__ import annotations

from typing import Any

import pytest

from engram.streaming.lanes.fair_share import FairShares, Share
from tests.doubles.fake_space import FakeSpace, ManualClock

HOT: Any = FakeSpace("hot")
SMALL: Any = FakeSpace("small")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shares(clock: ManualClock) -> FairShares:
    return FairShares(clock)


def divide(shares: FairShares, *arrived: Any, **fills: float) -> None:
    held = {space: fills[space.config.name] for space in (HOT, SMALL) if space.config.name in fills}
    shares.divide(sum(fills.values()), lambda: held, arrived)


def test_who_is_alone_may_fill_the_lane(shares: FairShares) -> None:
    divide(shares, HOT, hot=1.0)
    assert shares.excess(HOT) is None


def test_who_crowds_another_waits(shares: FairShares) -> None:
    divide(shares, HOT, SMALL, hot=0.9, small=0.1)
    assert shares.excess(HOT) == Share(0.9, 0.5)
    assert shares.excess(SMALL) is None


def test_below_half_there_is_room_for_all(shares: FairShares) -> None:
    divide(shares, HOT, SMALL, hot=0.9, small=0.1)
    divide(shares, hot=0.45, small=0.01)
    assert shares.excess(HOT) is None


def test_who_was_refused_counts_too(shares: FairShares) -> None:
    shares.claim(SMALL)
    divide(shares, HOT, hot=1.0)
    assert shares.excess(HOT) == Share(1.0, 0.5)


def test_a_claim_lapses(shares: FairShares, clock: ManualClock) -> None:
    shares.claim(SMALL)
    clock.advance(5.1)
    divide(shares, HOT, hot=1.0)
    assert shares.excess(HOT) is None

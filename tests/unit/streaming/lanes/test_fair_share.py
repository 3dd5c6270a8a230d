"""Shares of a lane: a space that is alone may fill it, one above its share waits, and both are counted once."""

from __future__ import annotations

import threading

import pytest

from engram.model.priority import Priority
from engram.streaming.lanes.fair_share import FairShares, Share
from engram.streaming.lanes.lane import LaneLimits
from tests.doubles.fake_space import ManualClock
from tests.doubles.switching import frequent_switches

LOW, HIGH = Priority.LOW, Priority.HIGH


class Ledger:
    """The shares of lanes of a hundred observations and a thousand bytes, and how full they are."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.shares = FairShares(dict.fromkeys(Priority, LaneLimits(100, 1000)), self.clock)
        self.count = dict.fromkeys(Priority, 0)

    def admit(self, space: str, count: int, nbytes: int = 0, priority: Priority = LOW) -> None:
        self.shares.count_admitted(space, priority, count, nbytes)
        self.count[priority] += count

    def serve(self, space: str, count: int, nbytes: int = 0, priority: Priority = LOW) -> None:
        self.shares.count_served(space, priority, count, nbytes)
        self.count[priority] -= count

    def excess(self, space: str, priority: Priority = LOW) -> Share | None:
        return self.shares.excess(space, priority, self.count[priority] / 100)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_who_is_alone_may_fill_the_lane(ledger: Ledger) -> None:
    ledger.admit("hot", 60)
    ledger.admit("hot", 40)
    assert ledger.excess("hot") is None
    assert ledger.shares.used("hot", LOW) == 1.0
    assert ledger.shares.used("small", LOW) == 0


def test_who_crowds_another_waits(ledger: Ledger) -> None:
    ledger.admit("hot", 90)
    ledger.admit("small", 10)
    assert ledger.excess("hot") == Share(0.9, 0.5)
    assert ledger.excess("small") is None
    assert (ledger.shares.used("hot", LOW), ledger.shares.used("small", LOW)) == (1.8, 0.2)


def test_below_half_there_is_room_for_all(ledger: Ledger) -> None:
    ledger.admit("hot", 90)
    ledger.admit("small", 1)
    ledger.serve("hot", 42)
    assert ledger.excess("hot") is None
    ledger.admit("hot", 1)
    assert ledger.excess("hot") is None, "it has no more than its share"
    ledger.admit("hot", 2)
    assert ledger.excess("hot") == Share(0.51, 0.5)


def test_bytes_count_where_they_are_more(ledger: Ledger) -> None:
    ledger.admit("hot", 60)
    ledger.admit("small", 1, 200)
    assert ledger.shares.used("small", LOW) == 0.4


def test_who_was_refused_counts_too(ledger: Ledger) -> None:
    ledger.admit("hot", 100)
    ledger.shares.claim("small", LOW)
    assert ledger.excess("hot") == Share(1.0, 0.5)
    assert ledger.shares.used("hot", LOW) == 2.0, "and the pressure is by the same share"


def test_a_claim_lapses(ledger: Ledger) -> None:
    ledger.shares.claim("small", LOW)
    ledger.admit("hot", 100)
    ledger.clock.advance(5.1)
    assert ledger.excess("hot") is None
    assert ledger.shares.used("hot", LOW) == 1.0


def test_who_has_something_waiting_counts_however_long_it_waits(ledger: Ledger) -> None:
    ledger.admit("small", 1)
    ledger.admit("gone", 1)
    ledger.admit("hot", 90)
    ledger.serve("gone", 1)
    ledger.clock.advance(60)
    assert ledger.excess("hot") == Share(0.9, 0.5)
    ledger.serve("small", 1)
    ledger.clock.advance(60)
    assert ledger.excess("hot") is None


def test_lanes_are_counted_apart_and_what_was_served_is_gone(ledger: Ledger) -> None:
    ledger.admit("red", 60)
    ledger.admit("blue", 60, priority=HIGH)
    assert ledger.shares.used("red", LOW) == 0.6
    assert ledger.shares.used("blue", LOW) == 0
    assert ledger.shares.waiting() == {"red", "blue"}
    ledger.serve("red", 60)
    assert ledger.shares.waiting() == {"blue"}
    assert ledger.shares.used("red", LOW) == 0


def test_what_is_served_before_it_is_counted_is_not_owed(ledger: Ledger) -> None:
    """The committer may be faster than the thread that has just admitted something."""
    ledger.serve("hot", 10)
    assert ledger.shares.used("hot", LOW) == 0
    ledger.admit("hot", 10)
    ledger.admit("hot", 5)
    assert ledger.shares.used("hot", LOW) == 0.05


@frequent_switches()
def test_both_threads_may_count_at_the_same_time(ledger: Ledger) -> None:
    rounds = 2000

    def serve() -> None:
        for _ in range(rounds):
            ledger.shares.count_served("hot", LOW, 1, 2)

    serving = threading.Thread(target=serve)
    serving.start()
    for _ in range(rounds):
        ledger.shares.count_admitted("hot", LOW, 1, 2)
        assert 0 <= ledger.shares.used("hot", LOW) <= rounds / 100
    serving.join()
    ledger.shares.count_admitted("hot", LOW, 30, 0)
    assert ledger.shares.used("hot", LOW) == 0.3

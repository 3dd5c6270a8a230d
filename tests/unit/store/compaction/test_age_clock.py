"""The clock by which ages are judged."""

from __future__ import annotations

import pytest

from engram.store.compaction import age_clock
from engram.store.compaction.age_clock import AgeClock


class Clocks:
    """The time of day, and a steady clock, in microseconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.day_us = 1_000_000_000
        self.steady_us = 5_000
        monkeypatch.setattr(age_clock, "now_us", lambda: self.day_us)
        monkeypatch.setattr(age_clock, "_steady_us", lambda: self.steady_us)

    def go_on(self, us: int, day_us: int | None = None) -> None:
        self.steady_us += us
        self.day_us += us if day_us is None else day_us


def test_it_follows_a_time_of_day_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    clock = AgeClock()
    clocks.go_on(100)
    assert clock.now_us() == clocks.day_us


def test_a_time_of_day_that_jumps_ahead_makes_nothing_older(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    clock = AgeClock()
    before = clock.now_us()
    clocks.go_on(100, day_us=10**9)
    assert clock.now_us() == before + 100


def test_it_stays_behind_when_the_time_of_day_was_once_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    clock = AgeClock()
    clocks.go_on(100, day_us=-5_000)
    behind = clock.now_us()
    assert behind == clocks.day_us
    clocks.go_on(100, day_us=5_200)
    assert clock.now_us() == behind + 100

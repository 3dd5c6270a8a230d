"""The clock by which ages are judged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.store.age_clock import _SPANS_MAX, AgeClock

S = 1_000_000
DAY_S = 86_400


class Clocks:
    """A time of day that can be set, and a steady clock, in microseconds."""

    def __init__(self) -> None:
        self.day_us = 1_000_000 * S
        self.steady_us = 5_000
        self.judge = AgeClock(lambda: self.day_us, lambda: self.steady_us)

    def go_on(self, seconds: float, set_s: float = 0) -> None:
        """Let time pass, and then set the time of day."""
        self.steady_us += round(seconds * S)
        self.day_us += round((seconds + set_s) * S)

    def behind_s(self, age_s: float) -> float:
        """By how much less than the time of day it judges."""
        return (self.day_us - round(age_s * S) - self.judge.us_ago(age_s)) / S


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.mark.parametrize("age_s", [0, 0.5, 100, 10**9])
def test_it_follows_a_time_of_day_that_goes_on(clocks: Clocks, age_s: float) -> None:
    for _ in range(3):
        clocks.go_on(100)
        assert clocks.behind_s(age_s) == 0


def test_a_jump_ahead_is_believed_for_an_age_once_that_age_has_passed(clocks: Clocks) -> None:
    clocks.go_on(10, set_s=DAY_S)
    seen = []
    for _ in range(5):
        seen.append((clocks.behind_s(0.5), clocks.behind_s(100), clocks.behind_s(10**9)))
        clocks.go_on(50)
    # At the first look it may have been set at any time since the one before.
    assert seen == [(DAY_S,) * 3, (0, DAY_S, DAY_S), (0, DAY_S, DAY_S), (0, 0, DAY_S), (0, 0, DAY_S)]


def test_a_time_of_day_that_is_set_back_is_believed_at_once(clocks: Clocks) -> None:
    clocks.go_on(10, set_s=-DAY_S)
    assert clocks.behind_s(100) == 0
    clocks.go_on(10, set_s=DAY_S)
    assert clocks.behind_s(100) == DAY_S
    clocks.go_on(101)
    assert clocks.behind_s(100) == 0


def test_several_jumps_are_believed_one_after_the_other(clocks: Clocks) -> None:
    for _ in range(3):
        clocks.go_on(40, set_s=1000)
        clocks.judge.us_ago(0)
    seen = []
    for _ in range(4):
        seen.append(clocks.behind_s(100))
        clocks.go_on(40)
    assert seen == [3000, 2000, 1000, 0]


def test_a_time_of_day_that_is_always_slewed_takes_no_more_room(clocks: Clocks) -> None:
    for _ in range(10_000):
        clocks.go_on(60, set_s=0.03)
        clocks.judge.us_ago(DAY_S)
    assert len(clocks.judge._spans) <= _SPANS_MAX
    # A day has 1 440 of these steps.
    assert 1440 * 0.03 <= clocks.behind_s(DAY_S) <= 10_000 * 0.03


@given(
    st.lists(st.tuples(st.integers(0, 50), st.one_of(st.just(0), st.integers(-DAY_S, DAY_S))), min_size=1, max_size=99),
    st.integers(0, 100),
)
def test_it_is_never_after_the_time_of_day_and_never_jumps_ahead_within_an_age(
    steps: list[tuple[int, int]], age_s: int
) -> None:
    clocks = Clocks()
    shown = [(clocks.steady_us, clocks.day_us)]
    for passed_s, set_s in steps:
        clocks.go_on(passed_s, set_s)
        shown.append((clocks.steady_us, clocks.day_us))
        ago = clocks.judge.us_ago(age_s)
        # What each look at the time of day within that age would have it be by now, had nobody set it since.
        since = clocks.steady_us - age_s * S
        assert ago <= min(day + clocks.steady_us - at for at, day in shown if at >= since) - age_s * S

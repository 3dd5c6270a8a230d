"""Pressure levels: where they begin and end, and that nothing flaps in between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engram.errors import InvalidInput
from engram.streaming.pressure.levels import Hysteresis, Level, Percentages, Thresholds


def levels(*fills: float) -> list[Level]:
    hysteresis = Hysteresis(Thresholds())
    return [(hysteresis.feed(fill), hysteresis.level)[1] for fill in fills]


def test_levels_begin_at_their_thresholds() -> None:
    assert levels(0.0, 0.499, 0.5, 0.799, 0.8, 0.949, 0.95, 1.5) == [
        Level.NORMAL,
        Level.NORMAL,
        Level.WARNING,
        Level.WARNING,
        Level.CRITICAL,
        Level.CRITICAL,
        Level.OVERLOADED,
        Level.OVERLOADED,
    ]


def test_levels_end_below_where_they_began() -> None:
    assert levels(1.0, 0.9, 0.899, 0.7, 0.699, 0.4, 0.399) == [
        Level.OVERLOADED,
        Level.OVERLOADED,
        Level.CRITICAL,
        Level.CRITICAL,
        Level.WARNING,
        Level.WARNING,
        Level.NORMAL,
    ]


def test_levels_may_be_skipped_both_ways() -> None:
    assert levels(0.96, 0.0, 0.81, 0.1) == [Level.OVERLOADED, Level.NORMAL, Level.CRITICAL, Level.NORMAL]


def test_a_change_is_reported_and_its_absence_too() -> None:
    hysteresis = Hysteresis(Thresholds())
    assert [hysteresis.feed(fill) for fill in (0.6, 0.7, 0.45, 0.3)] == [True, False, False, True]


@pytest.mark.parametrize("enter", [(), (50,), (50, 80), (50, 80, 95, 99), ("a", "b", "c"), (50, 80, 9.5), "50/80/95"])
def test_what_is_not_three_percentages_is_refused(enter: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        Thresholds(enter, (40, 70, 90))
    assert (caught.value.code, caught.value.field) == ("invalid_thresholds", "enter")


@pytest.mark.parametrize(
    ("enter", "leave"),
    [
        ((80, 50, 95), (40, 70, 90)),
        ((50, 80, 95), (70, 40, 90)),
        ((50, 80, 95), (50, 70, 90)),
        ((50, 80, 95), (0, 70, 90)),
        ((50, 80, 101), (40, 70, 90)),
    ],
)
def test_thresholds_that_do_not_go_together_are_refused(enter: Percentages, leave: Percentages) -> None:
    with pytest.raises(InvalidInput) as caught:
        Thresholds(enter, leave)
    assert caught.value.code == "invalid_thresholds"


@st.composite
def thresholds(draw: st.DrawFn) -> Thresholds:
    enter = sorted(draw(st.sets(st.integers(4, 100), min_size=3, max_size=3)))
    leave = sorted(draw(st.sets(st.integers(1, 99), min_size=3, max_size=3)))
    assume(all(low < high for low, high in zip(leave, enter, strict=True)))
    return Thresholds((enter[0], enter[1], enter[2]), (leave[0], leave[1], leave[2]))


@given(thresholds(), st.sampled_from(list(Level)[1:]), st.data())
def test_nothing_flaps_inside_a_band(limits: Thresholds, level: Level, data: st.DataObject) -> None:
    """Between leaving and entering a level, it changes at most once however the fill moves."""
    low, high = limits.leave[level - 1], limits.enter[level - 1]
    hysteresis = Hysteresis(limits)
    hysteresis.feed(data.draw(st.floats(0, 1.2)))
    inside = st.floats(low / 100, high / 100).filter(lambda fill: low <= 100 * fill < high)
    reached = []
    for fill in data.draw(st.lists(inside, min_size=2, max_size=30)):
        hysteresis.feed(fill)
        reached.append(hysteresis.level >= level)
    assert len(set(reached)) == 1


class PressureMachine(RuleBasedStateMachine):
    """Against the definition: a level is on from its threshold on, until the fill is below the lower one."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Thresholds()
        self.hysteresis = Hysteresis(self.limits)
        self.on = [False, False, False]

    @rule(percent=st.integers(0, 120))
    def feed(self, percent: int) -> None:
        before = self.hysteresis.level
        changed = self.hysteresis.feed(percent / 100)
        assert changed == (before is not self.hysteresis.level)
        for number in range(3):
            if percent >= self.limits.enter[number]:
                self.on[number] = True
            elif percent < self.limits.leave[number]:
                self.on[number] = False

    @invariant()
    def the_level_is_the_highest_that_is_on(self) -> None:
        assert self.hysteresis.level == sum(self.on)


TestPressureMachine: Any = PressureMachine.TestCase

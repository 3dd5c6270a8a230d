"""Plans of numbers: bounds that are compared in one look at the numbers, exactly."""

from __future__ import annotations

import operator as signs
from itertools import product

import numpy as np
import pytest

from engram.store.filters.group_plans import AndPlan
from engram.store.filters.numbers import Numbers
from engram.store.filters.numbers_plan import AmongPlan, NumbersPlan, wanted_numbers
from engram.store.filters.plans import ListsPlan
from engram.store.filters.rows import Window

LARGE = 2**53
SPECIAL = [0, -0.0, 1, 5e-324, -5e-324, 0.1, LARGE, LARGE + 1, -LARGE - 1, float("inf"), float("-inf"), 10**400, 1e308]
WINDOW = Window(3, 300)


def numbers_of(values: list[int | float], step: int) -> tuple[Numbers, list[int]]:
    numbers, generations = Numbers(), list(range(1, 1 + step * len(values), step))
    numbers.extend(generations, values)
    return numbers, generations


@pytest.mark.parametrize("step", [1, 2], ids=["each row has a number", "some have none"])
@pytest.mark.parametrize("bound", SPECIAL)
@pytest.mark.parametrize("operator", ["lt", "le", "gt", "ge"])
def test_numbers_are_compared_exactly(step: int, bound: float, operator: str) -> None:
    values = SPECIAL * 12
    numbers, generations = numbers_of(values, step)
    plan = NumbersPlan(WINDOW, numbers, [(operator, bound)])
    compare = getattr(signs, operator)
    # Infinity is no number of JSON, but what a whole number is that no float holds.
    pairs = [(at, value) for at, value in zip(generations, values, strict=True) if WINDOW.first <= at <= WINDOW.last]
    expected = [at for at, value in pairs if compare(value, bound)]
    assert plan.rows().generations.tolist() == expected
    asked = np.arange(WINDOW.first, WINDOW.last + 1)
    assert asked[plan.passes(asked)].tolist() == expected


def test_bounds_of_the_same_numbers_are_compared_together() -> None:
    numbers, generations = numbers_of(SPECIAL * 12, 1)
    values = dict(zip(generations, SPECIAL * 12, strict=True))
    for (one, low), (other, high) in product(product(("gt", "ge"), SPECIAL), product(("lt", "le"), SPECIAL)):
        parts = [NumbersPlan(WINDOW, numbers, [bound]) for bound in ((one, low), (other, high))]
        plan = parts[0].joined(parts[1])
        window = range(WINDOW.first, len(generations) + 1)
        expected = [at for at in window if getattr(signs, one)(values[at], low)]
        expected = [at for at in expected if getattr(signs, other)(values[at], high)]
        assert plan.rows().generations.tolist() == expected
        assert AndPlan(parts).rows().generations.tolist() == expected


def test_a_group_looks_once_at_the_numbers_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    within = Numbers.within

    def counted(self: Numbers, bounds: list[tuple[str, float]], places: slice) -> object:
        looks.append(len(bounds))
        return within(self, bounds, places)

    monkeypatch.setattr(Numbers, "within", counted)
    numbers, other = (numbers_of(list(range(300)), 1)[0] for _ in range(2))
    parts = [NumbersPlan(WINDOW, numbers, [bound]) for bound in (("gt", 10), ("lt", 250), ("ge", 20))]
    among = [parts[0], ListsPlan(WINDOW, [np.arange(3, 300)]), *parts[1:], NumbersPlan(WINDOW, other, [("le", 200)])]
    assert AndPlan(among).rows().generations.tolist() == list(range(21, 202))
    assert sorted(looks) == [1, 3]


@pytest.mark.parametrize("step", [1, 2], ids=["each row has a number", "some have none"])
@pytest.mark.parametrize("asked", [[0], [1, 0.0, 7.0], [-5, 3, 60_000], [LARGE - 2**17, LARGE - 2**17 - 5]])
def test_numbers_are_found_among_several(step: int, asked: list[int | float]) -> None:
    values = [*SPECIAL, 7, 3.0, 3.5, -5, 60_000, LARGE - 2**17, LARGE - 2**17 - 5] * 8
    numbers, generations = numbers_of(values, step)
    wanted = wanted_numbers(asked)
    assert wanted is not None
    plan = AmongPlan(WINDOW, numbers, wanted, 1000)
    pairs = [(at, value) for at, value in zip(generations, values, strict=True) if WINDOW.first <= at <= WINDOW.last]
    expected = [at for at, value in pairs if value in asked]
    assert expected
    assert plan.rows().generations.tolist() == expected
    everything = np.arange(WINDOW.first, WINDOW.last + 1)
    assert everything[plan.passes(everything)].tolist() == expected


@pytest.mark.parametrize("asked", [[], [1, None], [True], [0.5, 1], [0, 2**16], [LARGE], ["1"], [float("inf")]])
def test_what_bits_do_not_tell_is_found_by_lists(asked: list[object]) -> None:
    assert wanted_numbers(asked) is None

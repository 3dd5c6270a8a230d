"""Numbers of a key are compared exactly, whichever rows are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.store.filters.numbers import Numbers

BIG = 2**53
VALUES = st.sampled_from([5, 0.5, BIG - 1, BIG, BIG + 1, BIG + 2, float(BIG), -BIG - 1, -BIG, 2**64 - 1])


def numbers_of(values: list[int | float]) -> Numbers:
    made = Numbers()
    made.extend(range(1, len(values) + 1), values)
    return made


def test_whole_numbers_behind_the_first_row_are_compared_exactly() -> None:
    numbers = numbers_of([5, BIG + 1, BIG])
    assert numbers.fit("gt", BIG, slice(1, 3)).tolist() == [True, False]
    assert numbers.fit("gt", BIG, np.array([1, 2])).tolist() == [True, False]


@pytest.mark.parametrize("operator", ["lt", "le", "gt", "ge"])
@settings(max_examples=50)
@given(values=st.lists(VALUES, min_size=1, max_size=12), bound=VALUES, data=st.data())
def test_any_rows_are_compared_as_python_does(
    operator: str, values: list[int | float], bound: int | float, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(values)))
    end = data.draw(st.integers(start, len(values)))
    numbers = numbers_of(values)
    expected = [
        {"lt": value < bound, "le": value <= bound, "gt": value > bound, "ge": value >= bound}[operator]
        for value in values[start:end]
    ]
    assert numbers.fit(operator, bound, slice(start, end)).tolist() == expected
    assert numbers.fit(operator, bound, np.arange(start, end)).tolist() == expected

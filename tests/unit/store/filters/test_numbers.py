"""Numbers of a key are compared exactly, whichever rows are asked for."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.store.filters.numbers import Bound, Numbers
from engram.store.filters.rows import unpacked

BIG = 2**53
# Small whole numbers have a byte each, until one comes that is not.
SMALL = st.integers(-128, 127) | st.sampled_from([-0.0, 3.0])
LARGER = st.sampled_from([0.5, 128, -129, 10**6, 1e300])
VALUES = st.sampled_from([5, 0.5, BIG - 1, BIG, BIG + 1, BIG + 2, float(BIG), -BIG - 1, -BIG, 2**64 - 1])


def numbers_of(values: Sequence[int | float]) -> Numbers:
    made = Numbers()
    made.extend(range(1, len(values) + 1), values)
    return made


def test_whole_numbers_behind_the_first_row_are_compared_exactly() -> None:
    numbers = numbers_of([5, BIG + 1, BIG])
    assert numbers.fit("gt", BIG, slice(1, 3)).tolist() == [True, False]
    assert numbers.fit("gt", BIG, np.array([1, 2])).tolist() == [True, False]


@pytest.mark.parametrize("sign", ["lt", "le", "gt", "ge"])
@settings(max_examples=50)
@given(values=st.lists(VALUES, min_size=1, max_size=12), bound=VALUES, data=st.data())
def test_any_rows_are_compared_as_python_does(
    sign: str, values: list[int | float], bound: int | float, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(values)))
    end = data.draw(st.integers(start, len(values)))
    numbers = numbers_of(values)
    expected = [getattr(operator, sign)(value, bound) for value in values[start:end]]
    assert numbers.fit(sign, bound, slice(start, end)).tolist() == expected
    assert numbers.fit(sign, bound, np.arange(start, end)).tolist() == expected


@settings(max_examples=100)
@given(
    pieces=st.lists(st.tuples(st.lists(SMALL, max_size=70), st.lists(LARGER, max_size=1)), min_size=1, max_size=3),
    bounds=st.lists(st.tuples(st.sampled_from(["lt", "le", "gt", "ge"]), SMALL | LARGER), min_size=1, max_size=2),
)
def test_small_numbers_are_compared_as_others(
    pieces: list[tuple[list[int | float], list[int | float]]], bounds: list[Bound]
) -> None:
    numbers, values = Numbers(), list[int | float]()
    for small, larger in pieces:
        for piece in (small, larger):
            numbers.extend(range(len(values) + 1, len(values) + len(piece) + 1), piece)
            values += piece
    is_small = all(not larger for _, larger in pieces)
    assert numbers.values(slice(None)).dtype == (np.int8 if is_small else np.float64)
    assert numbers.values(slice(None)).tolist() == values
    expected = [all(getattr(operator, sign)(value, bound) for sign, bound in bounds) for value in values]
    places = slice(0, len(values))
    assert unpacked(numbers.within(bounds, places), len(values)).tolist() == expected
    sign, bound = bounds[0]
    fitting = [getattr(operator, sign)(value, bound) for value in values]
    assert numbers.fit(sign, bound, places).tolist() == fitting


def test_a_reader_keeps_the_numbers_that_it_has_seen_when_larger_ones_come() -> None:
    numbers = numbers_of([1, 2, 3])
    seen = numbers.values(slice(None))
    numbers.extend([4], [0.5])
    assert seen.tolist() == [1, 2, 3]
    assert numbers.values(slice(0, 4)).tolist() == [1, 2, 3, 0.5]


def test_small_numbers_take_an_eighth() -> None:
    small, larger = numbers_of(list(range(100)) * 1000), numbers_of([float(i) + 0.5 for i in range(100)] * 1000)
    assert larger.nbytes - small.nbytes > 6 * 100_000

"""What passes for a vector, and what would only become one by accident."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.spaces import SpaceConfig
from engram.model.values.vectors import as_float32, as_matrix, as_query, check_cues, check_query
from tests.case_names import named

ROW = [1.0] * 8
WRONG: list[Any] = [
    None,
    "12345678",
    b"12345678",
    np.ma.array(np.array(ROW), mask=np.arange(8) > 6),
    np.ma.array(np.array(ROW)),
    np.array(ROW) + 1j,
    np.zeros(8, "M8[s]"),
    np.zeros(8, "m8[s]"),
    np.array(ROW, object),
    np.array(ROW, str),
    np.array(ROW) > 0,
    ["1"] * 8,
    [None] * 8,
    [1.0, [2.0]],
    {"x": 1},
    {1.0, 2.0},
    itertools.repeat(1.0),
    object(),
]


@pytest.mark.parametrize("values", WRONG, ids=named)
def test_what_is_no_vector_is_refused_everywhere(values: Any) -> None:
    for take in (as_query, as_matrix, lambda values: as_float32(values, "vector")):
        with pytest.raises(InvalidInput, match="cannot be read as float32") as caught:
            take(values)
        assert caught.value.code == "invalid_vector"
    with pytest.raises(InvalidInput, match="cannot be read as float32"):
        as_matrix([values])


@pytest.mark.parametrize("values", [[], 5.0, [ROW], np.ones((8, 1)), np.ones((0, 8))], ids=named)
def test_a_query_is_one_row_that_is_not_empty(values: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        as_query(values)
    assert caught.value.code == "dimension_mismatch"


@pytest.mark.parametrize("values", [ROW, tuple(ROW), np.ones(8, np.int8), np.ones(8, np.float16), np.ones(16)[::2]])
def test_real_numbers_of_any_type_are_taken(values: Any) -> None:
    query = as_query(values)
    assert (query.dtype == np.float32, query.shape, query.flags.c_contiguous) == (True, (8,), True)


def test_an_object_that_fails_to_become_numbers_is_refused_by_type() -> None:
    class Broken:
        def __array__(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("on another device")

    with pytest.raises(InvalidInput, match="on another device"):
        as_float32(Broken(), "vector")


@pytest.mark.parametrize(
    ("vector", "code"),
    [
        ([1.0] * 7, "dimension_mismatch"),
        ([0.0] * 8, "zero_vector"),
        ([float("nan")] * 8, "not_finite"),
        ([1e300] * 8, "not_finite"),
        ([1e20] * 8, "vector_norm"),
    ],
)
def test_a_query_fits_its_space(vector: list[float], code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_query(vector, SpaceConfig("space", 8))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ([0.0] * 8, "zero_vector", "cues[9]"),
        ([1.0] * 7 + [float("inf")], "not_finite", "cues[9][7]"),
        ([1e20] * 8, "vector_norm", "cues[9]"),
    ],
)
def test_the_vectors_of_cues_are_checked_together_and_the_wrong_one_is_named(
    wrong: list[float], code: str, field: str
) -> None:
    good = np.array([ROW, ROW], np.float32)
    check_cues(good, [2, 9], SpaceConfig("space", 8))
    check_cues(good[:0], [], SpaceConfig("space", 8))
    with pytest.raises(InvalidInput) as caught:
        check_cues(np.array([ROW, wrong], np.float32), [2, 9], SpaceConfig("space", 8))
    assert (caught.value.code, caught.value.field) == (code, field)


def test_a_cue_without_a_direction_fits_a_space_that_compares_none() -> None:
    check_cues(np.zeros((2, 8), np.float32), [0, 1], SpaceConfig("space", 8, "l2"))

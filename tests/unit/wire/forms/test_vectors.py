"""The vectors of many observations, of which some may have none, as JSON and as arrays of a frame have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.wire.forms.vectors import given_vectors

TWO = np.array([[1, 2], [3, 4]], np.float32)


def told(*rows: int) -> Any:
    return np.array(rows, np.uint8)


ALL: list[tuple[Any, Any]] = [([[1, 2], [3, 4]], {}), (None, {"vectors": TWO, "vector_presence": told(1, 1)})]
SOME: list[tuple[Any, Any]] = [
    ([[1, 2], None, [3, 4]], {}),
    (None, {"vectors": TWO, "vector_presence": told(1, 0, 1)}),
]
NONE: list[tuple[Any, Any]] = [([None, None], {}), (None, {"vector_presence": told(0, 0)})]


@pytest.mark.parametrize(("rows", "arrays"), ALL)
def test_where_all_have_one_nothing_is_told(rows: Any, arrays: Any) -> None:
    vectors, presence = given_vectors(rows, arrays, 2)
    assert vectors is not None
    assert (vectors.tolist(), presence) == (TWO.tolist(), None)


@pytest.mark.parametrize(("rows", "arrays"), SOME)
def test_null_and_the_array_say_which_have_one(rows: Any, arrays: Any) -> None:
    vectors, presence = given_vectors(rows, arrays, 3)
    assert vectors is not None
    assert presence is not None
    assert (vectors.tolist(), presence.tolist()) == ([[1, 2], [0, 0], [3, 4]], [True, False, True])


@pytest.mark.parametrize(("rows", "arrays"), NONE)
def test_where_none_has_one_there_are_no_numbers(rows: Any, arrays: Any) -> None:
    vectors, presence = given_vectors(rows, arrays, 2)
    assert vectors is not None
    assert presence is not None
    assert (vectors.shape, presence.tolist()) == ((2, 0), [False, False])


def test_vectors_that_are_not_there_are_none() -> None:
    assert given_vectors(None, {}, 2) == (None, None)


@pytest.mark.parametrize(
    ("rows", "arrays", "code", "field"),
    [
        ([[1, 2]], {}, "column_length", "vectors"),
        ([[1, 2], None], {}, "column_length", "vectors"),
        (None, {"vectors": TWO}, "column_length", "vectors"),
        (None, {"vectors": TWO, "vector_presence": told(1, 0, 0)}, "column_length", "vectors"),
        (None, {"vector_presence": told(1, 0, 0)}, "column_length", "vectors"),
        (None, {"vectors": TWO, "vector_presence": told(1, 1)}, "column_length", "vector_presence"),
        (None, {"vectors": TWO, "vector_presence": np.ones(3, np.float32)}, "wrong_type", "arrays.vector_presence"),
        (None, {"vectors": TWO[0]}, "wrong_type", "arrays.vectors"),
        (None, {"vectors": TWO.astype("f8")}, "wrong_type", "arrays.vectors"),
        ([[], [], []], {}, "dimension_mismatch", "vectors"),
        ([None, [], None], {}, "dimension_mismatch", "vectors"),
        ("", {}, "dimension_mismatch", "vectors"),
        (None, {"vectors": np.empty((3, 0), np.float32)}, "dimension_mismatch", "vectors"),
    ],
)
def test_what_does_not_belong_together_is_refused(rows: Any, arrays: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        given_vectors(rows, arrays, 3)
    assert (refused.value.code, refused.value.field) == (code, field)

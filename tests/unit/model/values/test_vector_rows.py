"""Vectors of some rows only."""

from __future__ import annotations

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.spaces import SpaceConfig
from engram.model.values.vector_rows import as_rows, check_none_missing, check_width, join_rows


def test_none_in_a_list_is_no_vector() -> None:
    matrix, presence = as_rows([[1, 2], None, [3, 4]])
    assert matrix.tolist() == [[1, 2], [0, 0], [3, 4]]
    assert presence is not None
    assert presence.tolist() == [True, False, True]
    matrix, presence = as_rows([None, None])
    assert matrix.shape == (2, 0)
    assert presence is not None
    assert not presence.any()


def test_a_matrix_is_copied_as_it_is() -> None:
    given = np.ones((2, 3), np.float32)
    matrix, presence = as_rows(given)
    assert presence is None
    assert not np.shares_memory(matrix, given)
    assert as_rows([[1, 2]])[0].tolist() == [[1, 2]]


def test_batches_without_vectors_are_joined_with_others() -> None:
    joined = join_rows([np.ones((1, 2), np.float32), np.empty((2, 0), np.float32)])
    assert joined.tolist() == [[1, 1], [0, 0], [0, 0]]
    assert join_rows([np.empty((1, 0), np.float32)] * 2).shape == (2, 0)


@pytest.mark.parametrize(
    ("width", "presence", "dim", "code"),
    [
        (2, None, 2, None),
        (0, [False, False], 2, None),
        (2, [True, False], 2, None),
        (0, [False, False], 0, None),
        (3, None, 2, "dimension_mismatch"),
        (0, None, 2, "dimension_mismatch"),
        (0, [True, False], 2, "dimension_mismatch"),
        (2, None, 0, "vectors_refused"),
        (2, [True, False], 0, "vectors_refused"),
    ],
)
def test_the_length_of_vectors(width: int, presence: list[bool] | None, dim: int, code: str | None) -> None:
    vectors = np.zeros((2, width), np.float32)
    rows = None if presence is None else np.array(presence, np.bool_)
    if code is None:
        check_width(vectors, rows, dim)
        return
    with pytest.raises(InvalidInput) as refused:
        check_width(vectors, rows, dim)
    error = refused.value
    assert (error.code, error.field, error.limit, error.value) == (code, "embedding", str(dim), str(width))


def test_the_first_row_without_a_vector_is_named() -> None:
    config = SpaceConfig("notes", 2)
    check_none_missing(np.ones(2, np.bool_), config)
    with pytest.raises(InvalidInput, match="2 of 3 observations have no vector, the first of them row 1") as refused:
        check_none_missing(np.array([True, False, False]), config)
    error = refused.value
    assert (error.code, error.field, error.limit) == ("vector_missing", "embedding[1]", "a vector of dimension 2")

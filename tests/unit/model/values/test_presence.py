"""Which rows have a vector or a text: as truth values, and as bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import InvalidInput
from engram.model.values.presence import (
    check_presence,
    gathered,
    given_rows,
    has_none,
    join_presence,
    pack_presence,
    read_presence,
    spread,
    unless_all,
    unpack_presence,
)


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_bits_are_read_as_they_were_packed(rows: list[bool]) -> None:
    presence = np.array(rows, np.bool_)
    packed = pack_presence(presence)
    assert len(packed) == (len(rows) + 7) // 8
    assert unpack_presence(packed, len(rows)).tolist() == rows
    read = read_presence(packed.tobytes(), len(rows), "vector_presence")
    assert (read is None) == all(rows)
    assert read is None or read.tolist() == rows


def test_the_lowest_bit_is_the_first_row() -> None:
    assert pack_presence(np.array([True, False, False, True], np.bool_)).tolist() == [0b1001]


def test_bits_of_another_number_of_rows_are_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_presence(b"\x01\x02", 8, "text_presence")
    error = refused.value
    assert (error.code, error.field, error.limit, error.value) == ("presence_size", "text_presence", "1", "2")
    assert read_presence(b"", 8, "text_presence") is None


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_vectors_are_spread_and_gathered(rows: list[bool]) -> None:
    presence = np.array(rows, np.bool_)
    vectors = np.arange(2 * sum(rows), dtype=np.float32).reshape(-1, 2) + 1
    matrix = spread(vectors, presence)
    assert matrix.shape == (len(rows), 2 if any(rows) else 0)
    assert gathered(matrix, presence).tolist() == vectors.tolist() or not any(rows)
    assert not matrix[~presence].any()
    assert spread(vectors, None) is vectors
    assert gathered(vectors, None) is vectors


def test_what_every_row_has_is_not_kept() -> None:
    assert unless_all(None) is None
    assert unless_all(np.ones(3, np.bool_)) is None
    assert given_rows(["a", "b"]) is None
    rows = given_rows(["a", None])
    assert rows is not None
    assert rows.tolist() == [True, False]
    assert join_presence([None, None], [2, 3]) is None
    joined = join_presence([None, rows], [2, 2])
    assert joined is not None
    assert joined.tolist() == [True, True, True, False]


class Ambiguous:
    def __bool__(self) -> bool:
        raise TypeError("neither true nor false")


def test_none_is_found_also_beside_what_does_not_compare() -> None:
    assert has_none(["a", None])
    assert not has_none(["a", ""])
    # What is neither true nor false, such as an array and the missing value of pandas, is told by what it is.
    assert has_none([np.array([1, 2]), None])
    assert has_none([Ambiguous(), None])
    assert not has_none(["a", Ambiguous()])


def test_a_presence_has_its_type_and_length() -> None:
    check_presence("vector_presence", None, 3)
    check_presence("vector_presence", np.ones(3, np.bool_), 3)
    wrong: list[Any] = [np.ones(2, np.bool_), np.ones(3, np.uint8)]
    for bad in wrong:
        with pytest.raises(InvalidInput) as refused:
            check_presence("vector_presence", bad, 3)
        assert refused.value.field == "vector_presence"

"""Many cues in whatever form a caller has them, and errors that name the one that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.cue import Cue
from engram.model.limits import CUES_MAX
from engram.model.many.cue_list import CueList, as_cue_list, counted_from, of_cue, too_many_cues
from tests.case_names import named

MATRIX = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.mark.parametrize(
    "given",
    [
        MATRIX,
        MATRIX.astype(np.float64),
        np.asfortranarray(MATRIX),
        MATRIX.tolist(),
        list(MATRIX),
        tuple(MATRIX),
        (row for row in MATRIX),
        MATRIX.astype(object),
    ],
    ids=["float32", "float64", "by columns", "lists", "rows", "a tuple", "a generator", "objects"],
)
def test_vectors_become_a_matrix(given: Any) -> None:
    cues = as_cue_list(given)
    assert cues.vectors is not None
    assert cues.vectors.dtype == np.float32
    assert (cues.vectors.flags.c_contiguous, len(cues.listed)) == (True, 0)
    assert cues.vectors.tolist() == MATRIX.tolist()
    assert (len(cues), np.asarray(cues.one(1).vector).tolist()) == (3, [2, 3])
    assert len(cues.part(1, 9)) == 2


def test_a_matrix_is_not_copied() -> None:
    assert as_cue_list(MATRIX).vectors is MATRIX
    cues = as_cue_list(["a"])
    assert as_cue_list(cues) is cues


def test_texts_and_cues_stay_apart() -> None:
    cue = Cue(text="pumps", by="words")
    cues = as_cue_list(["coast", cue, MATRIX[0]])
    assert (cues.vectors, len(cues)) == (None, 3)
    assert (cues.one(0).text, cues.one(1)) == ("coast", cue)
    assert np.asarray(cues.one(2).vector).tolist() == [0, 1]
    assert [each.text for each in cues.part(0, 2).listed] == ["coast", "pumps"]
    for texts in (np.array(["a", "b"]), np.array(["a", "b"], object), iter(("a", "b"))):
        assert [each.text for each in as_cue_list(texts).listed] == ["a", "b"]


@pytest.mark.parametrize("given", [[], (), np.empty(0), np.empty((0, 7)), np.empty((0, 0)), iter([]), CueList()])
def test_there_may_be_none(given: Any) -> None:
    assert len(as_cue_list(given)) == 0


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        (None, "cue_missing", "cues"),
        ("pumps", "not_a_list", "cues"),
        (b"pumps", "not_a_list", "cues"),
        (Cue(text="pumps"), "not_a_list", "cues"),
        ({"a"}, "not_a_list", "cues"),
        ({"a": MATRIX[0]}, "not_a_list", "cues"),
        (7, "not_a_list", "cues"),
        (np.float32(7), "dimension_mismatch", "cues"),
        (MATRIX[0], "dimension_mismatch", "cues"),
        ([1.0, 2.0], "dimension_mismatch", "cues"),
        (MATRIX[None], "dimension_mismatch", "cues"),
        (np.empty((2, 0)), "dimension_mismatch", "cues"),
        ([[], []], "dimension_mismatch", "cues[0]"),
        ([[1.0, 2.0], [3.0]], "dimension_mismatch", "cues[1]"),
        ([[1.0], 2.0], "dimension_mismatch", "cues[1]"),
        ([[1.0], []], "dimension_mismatch", "cues[1]"),
        ([MATRIX, MATRIX], "dimension_mismatch", "cues[0]"),
        ([[1.0], ["x"]], "invalid_vector", "cues[1]"),
        ([[1.0], None], "cue_missing", "cues[1]"),
        (["a", None], "cue_missing", "cues[1]"),
        (["a", ""], "invalid_cue", "cues[1]"),
        (["a", "b", b"c"], "invalid_vector", "cues[2]"),
        (["a", object()], "invalid_vector", "cues[1]"),
        ([True, False], "invalid_vector", "cues[0]"),
        (MATRIX * 1j, "invalid_vector", "cues"),
        (MATRIX > 1, "invalid_vector", "cues"),
        (np.array(["2026-11-28"], "M8[D]"), "invalid_vector", "cues"),
        (np.ma.masked_array(MATRIX), "invalid_vector", "cues"),
        ([MATRIX[0], np.ma.masked_array(MATRIX[1])], "invalid_vector", "cues[1]"),
    ],
    ids=named,
)
def test_what_is_no_list_of_cues_is_refused(given: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        as_cue_list(given)
    assert (refused.value.code, refused.value.field) == (code, field)


def test_an_iterable_without_an_end_is_refused() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "pumps"

    with pytest.raises(InvalidInput, match="pass a list") as refused:
        as_cue_list(endless())
    assert (refused.value.code, refused.value.field, refused.value.limit) == ("cues_count", "cues", f"0..{CUES_MAX}")
    # What has a length may be longer, because it is asked for in parts.
    assert len(as_cue_list(["pumps"] * (CUES_MAX + 1))) == CUES_MAX + 1


def test_an_error_about_a_part_is_one_about_all() -> None:
    inner = InvalidInput("too long", code="dimension_mismatch", field="vector", limit=3, value=4)
    error = of_cue(inner, 7)
    assert (error.message, error.code, error.field) == ("cues[7]: too long", "dimension_mismatch", "cues[7]")
    assert (error.limit, error.value) == ("3", "4")
    moved = counted_from(error, 2000)
    assert (moved.message, moved.field, moved.limit) == ("cues[2007]: too long", "cues[2007]", "3")
    in_vector = InvalidInput("cues[1] holds nan at position 3", code="not_finite", field="cues[1][3]")
    assert counted_from(in_vector, 10).field == "cues[11][3]"
    assert counted_from(error, 0) is error
    for other in (too_many_cues(10_001), InvalidInput("no", field="k")):
        assert counted_from(other, 2000) is other

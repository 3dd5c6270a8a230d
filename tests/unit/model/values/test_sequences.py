"""A text where a list is meant is refused; what can be taken as a list is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.values.sequences import as_column, as_list, as_lists, check_tags
from tests.case_names import named

WRONG: list[Any] = [
    "note-1",
    b"note-1",
    bytearray(b"x"),
    memoryview(b"x"),
    None,
    5,
    2.5,
    {"a": 1},
    object(),
    np.array("a"),
]


@pytest.mark.parametrize("values", WRONG, ids=named)
def test_what_is_no_list_is_refused_with_what_to_pass(values: Any) -> None:
    with pytest.raises(InvalidInput, match=r'pass .*"note-1"') as caught:
        as_list("ids", values, '["note-1"]')
    assert (caught.value.code, caught.value.field) == ("not_a_list", "ids")


@pytest.mark.parametrize(
    "values", [["a", "b"], ("a", "b"), np.array(["a", "b"]), iter(["a", "b"]), {"a": 1, "b": 2}.keys()], ids=named
)
def test_other_iterables_are_lists(values: Any) -> None:
    taken = as_list("ids", values, "", ordered=False)
    assert taken == ["a", "b"]
    assert {type(value) for value in taken} == {str}


def test_a_set_is_a_list_where_order_does_not_count() -> None:
    assert as_list("tags", {"a"}, "", ordered=False) == ["a"]
    with pytest.raises(InvalidInput, match="no order"):
        as_list("ids", {"a"}, "")


def test_what_never_ends_is_cut_behind_the_limit() -> None:
    assert len(as_list("ids", itertools.repeat("a"), "")) == BATCH_COUNT_MAX + 1


def test_rows_of_lists_name_the_row_that_is_none() -> None:
    rows: Any = [["a"], None, ("b", "c"), {"d"}]
    assert as_lists("tags", rows, '["urgent"]') == [["a"], [], ["b", "c"], ["d"]]
    for row, wrong in enumerate(("urgent", b"urgent", 5, {"urgent": 1})):
        rows = [["a"]] * row + [wrong]
        with pytest.raises(InvalidInput) as caught:
            as_lists("tags", rows, '["urgent"]')
        assert (caught.value.code, caught.value.field) == ("not_a_list", f"tags[{row}]")


@pytest.mark.parametrize(
    "values",
    [
        np.ones((3, 4)),
        np.ones((3, 1)),
        np.ones(4),
        0.5,
        "abc",
        ["a", "b", "c"],
        [None, 1, 2],
        [True, True, False],
        [1j, 2, 3],
        [[1], [2, 3], [4]],
        np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False]),
        np.zeros(3, "M8[s]"),
        np.array([1.0, 2.0, 3.0], object),
    ],
    ids=named,
)
def test_a_column_is_one_number_for_each_row(values: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        as_column("confidences", values, 3, "fiu", "numbers")
    assert caught.value.field == "confidences"


@pytest.mark.parametrize(
    ("tags", "field"),
    [
        ("", "tags[3][1]"),
        ("x" * 16_385, "tags[3][1]"),
        ("\u00e9" * 8193, "tags[3][1]"),
        ("\ud800", "tags[3][1]"),
        (1, "tags[3][1]"),
        (b"b", "tags[3][1]"),
        (np.ones(2), "tags[3][1]"),
        (None, "tags[3][1]"),
    ],
)
def test_one_bad_tag_among_good_rows_is_named(tags: Any, field: str) -> None:
    rows = [["a"], [], ("b" * 16_384, "\u00e9" * 8192), ["a", tags]]
    with pytest.raises(InvalidInput) as caught:
        check_tags("tags", rows)
    assert caught.value.field == field
    check_tags("tags", rows[:3])
    check_tags("tags", [])
    with pytest.raises(InvalidInput) as many:
        check_tags("tags", [["a"], ["a"] * 65])
    assert (many.value.code, many.value.field) == ("tags_count", "tags[1]")

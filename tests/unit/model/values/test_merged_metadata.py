"""Metadata that are merged: what is named, what stays, and what is removed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import InvalidInput
from engram.model.values.merged_metadata import merge_metadata_column

values = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2) | st.just({"deep": None})
objects = st.none() | st.dictionaries(st.sampled_from("abc"), values, max_size=3)


def text_of(metadata: dict[str, Any] | None) -> str:
    return "" if metadata is None else json.dumps(metadata)


@given(st.lists(st.tuples(objects, objects), min_size=1, max_size=5))
def test_named_keys_take_the_place_of_others_and_null_removes(rows: list[tuple[Any, Any]]) -> None:
    merged = merge_metadata_column([text_of(before) for before, _ in rows], [text_of(named) for _, named in rows])
    for (before, named), text in zip(rows, merged, strict=True):
        stays = {key: value for key, value in (before or {}).items() if key not in (named or {})}
        comes = {key: value for key, value in (named or {}).items() if value is not None}
        assert json.loads(text or "{}") == {**stays, **comes}


def test_a_row_for_which_nothing_is_named_stays_to_the_byte() -> None:
    stored = ['{ "a" : 1.0 }', "", '{"a":', '{"b":2}']
    assert merge_metadata_column(stored, ["", "{}", "", '{"a":3}']) == [*stored[:3], '{"b":2,"a":3}']


def test_nested_objects_are_replaced_as_a_whole() -> None:
    (merged,) = merge_metadata_column(['{"a":{"x":1,"y":2}}'], ['{"a":{"z":null}}'])
    assert json.loads(merged) == {"a": {"z": None}}


def test_what_cannot_be_read_is_replaced_by_what_is_named() -> None:
    assert merge_metadata_column(['{"a":', "[1]"], ['{"b":1}', '{"b":2}']) == ['{"b":1}', '{"b":2}']


@pytest.mark.parametrize(
    ("stored", "named", "field"),
    [
        (["", ""], ["", "[1]"], "metadata[1]"),
        (["", ""], ['{"a":1}', '{"a":1,"a":2}'], "metadata[1]"),
        # Older versions took what JSON does not have.
        (['{"a":NaN}'], ['{"b":1}'], "metadata[0]"),
    ],
)
def test_what_cannot_be_stored_is_refused(stored: list[str], named: list[str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        merge_metadata_column(stored, named)
    assert (refused.value.code, refused.value.field) == ("invalid_metadata", field)

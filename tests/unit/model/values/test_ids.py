"""The ids of a call that deletes or looks up."""

from __future__ import annotations

from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.values.ids import as_ids, check_distinct_ids, check_id_count


@pytest.mark.parametrize(("ids", "field"), [("note-1", "ids"), (["a", 3], "ids[1]"), (7, "ids"), (None, "ids")])
def test_ids_are_texts_in_a_list(ids: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        as_ids(ids)
    assert refused.value.field == field


def test_any_collection_of_ids_is_taken() -> None:
    assert as_ids(("a", "b")) == ["a", "b"]
    assert sorted(as_ids({"a", "b"})) == ["a", "b"]
    assert as_ids([]) == []


def test_there_may_be_any_number_in_a_list_and_10_000_without_a_length() -> None:
    many = ["a"] * (BATCH_COUNT_MAX + 1)
    assert as_ids(many) == many
    assert as_ids(iter(many[:-1])) == many[:-1]
    with pytest.raises(InvalidInput) as refused:
        as_ids(iter(many))
    assert (refused.value.code, refused.value.field) == ("batch_count", "ids")


def test_more_than_one_request_has_are_refused() -> None:
    check_id_count(["a"] * BATCH_COUNT_MAX)
    with pytest.raises(InvalidInput) as refused:
        check_id_count(["a"] * (BATCH_COUNT_MAX + 1))
    assert (refused.value.code, refused.value.field, refused.value.value) == ("batch_count", "ids", "10001")


def test_an_id_that_occurs_twice_is_named() -> None:
    check_distinct_ids([])
    check_distinct_ids(("a", "A", "ä"))
    with pytest.raises(InvalidInput) as refused:
        check_distinct_ids(["a", "b", "c", "b", "a"])
    assert (refused.value.code, refused.value.field, refused.value.value) == ("duplicate_id", "ids[3]", "'b'")

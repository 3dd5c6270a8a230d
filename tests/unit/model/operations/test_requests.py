"""What a request refuses before anybody is asked."""

from __future__ import annotations

from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.operations.requests import (
    CreateSpace,
    Delete,
    DescribeServer,
    DescribeSpace,
    Get,
    ListSpaces,
    TakeSnapshot,
    as_ids,
)
from engram.model.spaces import SpaceConfig


@pytest.mark.parametrize("kind", [Get, Delete])
@pytest.mark.parametrize("count", [0, BATCH_COUNT_MAX + 1])
def test_no_ids_and_too_many_are_refused(kind: Any, count: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        kind("notes", ["a"] * count)
    assert (refused.value.code, refused.value.field, refused.value.value) == ("batch_count", "ids", str(count))
    assert len(kind("notes", ["a"] * BATCH_COUNT_MAX).ids) == BATCH_COUNT_MAX


@pytest.mark.parametrize(("ids", "field"), [("note-1", "ids"), (["a", 3], "ids[1]"), (7, "ids"), (None, "ids")])
def test_ids_are_texts_in_a_list(ids: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        as_ids(ids)
    assert refused.value.field == field


def test_any_collection_of_ids_is_taken() -> None:
    assert as_ids(("a", "b")) == ["a", "b"]
    assert sorted(as_ids({"a", "b"})) == ["a", "b"]  # type: ignore[arg-type]


def test_a_snapshot_is_named_in_one_way() -> None:
    with pytest.raises(InvalidInput):
        TakeSnapshot("notes", 1, 2)


def test_requests_tell_which_space_they_are_about() -> None:
    about = [DescribeSpace("notes"), CreateSpace(SpaceConfig("other", 8)), ListSpaces(), DescribeServer()]
    assert [request.space_name for request in about] == ["notes", "other", None, None]

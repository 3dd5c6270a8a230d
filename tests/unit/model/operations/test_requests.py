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
)
from engram.model.spaces import SpaceConfig


@pytest.mark.parametrize("kind", [Get, Delete])
def test_too_many_ids_are_refused(kind: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        kind("notes", ["a"] * (BATCH_COUNT_MAX + 1))
    assert (refused.value.code, refused.value.field, refused.value.value) == ("batch_count", "ids", "10001")
    assert kind("notes", []).ids == []
    assert len(kind("notes", ["a"] * BATCH_COUNT_MAX).ids) == BATCH_COUNT_MAX


def test_a_flag_is_a_truth_value() -> None:
    with pytest.raises(InvalidInput) as refused:
        Get("notes", ["a"], include_vectors="no")  # type: ignore[arg-type]
    assert (refused.value.code, refused.value.field) == ("invalid_flag", "include_vectors")


def test_a_snapshot_is_named_in_one_way() -> None:
    with pytest.raises(InvalidInput):
        TakeSnapshot("notes", 1, 2)


def test_requests_tell_which_space_they_are_about() -> None:
    about = [DescribeSpace("notes"), CreateSpace(SpaceConfig("other", 8)), ListSpaces(), DescribeServer()]
    assert [request.space_name for request in about] == ["notes", "other", None, None]

"""What a request refuses before anybody is asked."""

from __future__ import annotations

from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.model.cue import Cue
from engram.model.limits import BATCH_COUNT_MAX, RESULTS_MAX, STREAM_RESULTS_MAX
from engram.model.many.cue_list import CueList
from engram.model.many.many_query import ManyQuery
from engram.model.operations.requests import (
    CreateSpace,
    Delete,
    DescribeServer,
    DescribeSpace,
    Get,
    ListSpaces,
    Recall,
    RecallMany,
    StreamRecall,
    TakeSnapshot,
)
from engram.model.query import RecallQuery
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


def test_one_answer_has_so_many_hits_and_a_stream_any_number() -> None:
    many = RecallQuery(Cue(text="words"), k=RESULTS_MAX + 1)
    assert StreamRecall("notes", many).query is many
    for request in (lambda: Recall("notes", many), lambda: RecallMany("notes", ManyQuery(CueList(), many))):
        with pytest.raises(InvalidInput) as refused:
            request()
        assert (refused.value.code, refused.value.field, refused.value.limit) == ("invalid_k", "k", "1..10000")
    with pytest.raises(InvalidInput):
        RecallQuery(Cue(text="words"), k=STREAM_RESULTS_MAX + 1)

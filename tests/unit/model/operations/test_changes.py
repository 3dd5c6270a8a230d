"""What an update changes, as callers pass it, and what is refused before anybody is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.operations.changes import ObservationChanges, check_changes, take_changes
from engram.model.operations.updates import Update


def taken(*arguments: Any, **keywords: Any) -> ObservationChanges:
    changes = take_changes(arguments, keywords)
    check_changes(changes)
    return changes


def test_one_observation_has_columns_of_one_row() -> None:
    changes = taken("a", [1, 2], "new", timestamp=1.5, confidence=1, importance=0, metadata={"n": None}, tags={"x"})
    assert (list(changes.ids), len(changes)) == (["a"], 1)
    assert changes.vectors is not None
    assert changes.vectors.tolist() == [[1, 2]]
    assert changes.vectors.dtype == np.float32
    columns = {name: list(column) for name, column in changes.columns.items()}
    assert [list(tags) for tags in columns.pop("tags")] == [["x"]]
    assert columns == {
        "contents": ["new"],
        "times_us": [1_500_000],
        "confidences": [1.0],
        "importances": [0.0],
        "metadata": ['{"n":null}'],
    }
    assert changes.columns["confidences"].dtype == np.float32


def test_many_observations_have_columns() -> None:
    changes = taken(["a", "b"], contents=("x", ""), tags=[[], ["t"]], metadata=[None, '{"a": 1}'])
    assert (changes.vectors, set(changes.columns)) == (None, {"contents", "tags", "metadata"})
    assert changes.columns["tags"] == [[], ["t"]]
    assert changes.columns["metadata"] == ["", '{"a": 1}']


def test_none_is_not_named_and_what_is_empty_is() -> None:
    assert set(taken("a", None, None, confidence=None, tags=[]).columns) == {"tags"}
    assert set(taken(["a"], None, None, confidences=None, tags=[[]]).columns) == {"tags"}
    assert taken("a", content="").columns == {"contents": [""]}
    assert taken("a", metadata={}).columns["metadata"] == ["{}"]


def test_changes_share_no_memory_with_what_was_passed() -> None:
    one, many, shares = np.ones(2, np.float32), np.ones((1, 2), np.float32), np.ones(1, np.float32)
    changes = [taken("a", one), taken(["a"], many, confidences=shares)]
    for array in (one, many, shares):
        array[:] = 0
    assert [change.vectors.tolist() for change in changes if change.vectors is not None] == [[[1, 1]], [[1, 1]]]
    assert changes[1].columns["confidences"].tolist() == [1]


@pytest.mark.parametrize(
    ("ids", "keywords", "code", "field"),
    [
        ("a", {}, "missing_field", "changes"),
        (["a"], {"contents": None}, "missing_field", "changes"),
        (None, {"contents": ["x"]}, "invalid_arguments", "ids"),
        ("a", {"contents": ["x"]}, "unknown_argument", "contents"),
        (["a"], {"content": "x"}, "unknown_argument", "content"),
        (["a"], {"texts": ["x"]}, "unknown_argument", "texts"),
        (["a"], {"contents": "x"}, "not_a_list", "contents"),
        (["a"], {"contents": []}, "column_length", "contents"),
        (["a"], {"contents": [None]}, "invalid_text", "content[0]"),
        (["a"], {"tags": [None]}, "not_a_list", "tags[0]"),
        (["a"], {"tags": None, "confidences": [float("nan")]}, "confidence_range", "confidence[0]"),
        (["a"], {"confidences": [[1]]}, "invalid_column", "confidences"),
        (["a"], {"metadata": ["{"]}, "invalid_metadata", "metadata[0]"),
        (["a"], {"timestamps": [1e15]}, "invalid_time", "timestamps[0]"),
        (["a"], {"vectors": [[]]}, "dimension_mismatch", "vectors"),
        (["a"], {"vectors": [1.0]}, "dimension_mismatch", "vectors"),
        (["a"], {"vectors": [[1], [2]]}, "column_length", "vectors"),
        (["a", "b", "a"], {"contents": ["x"] * 3}, "duplicate_id", "ids[2]"),
        ([], {"contents": []}, "batch_count", "ids"),
        (["x"] * (BATCH_COUNT_MAX + 1), {"contents": ["x"] * (BATCH_COUNT_MAX + 1)}, "batch_count", "ids"),
        ([3], {"contents": ["x"]}, "invalid_text", "id[0]"),
        (["x" * 1025], {"contents": ["x"]}, "id_size", "id[0]"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(ids: Any, keywords: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        taken(*([] if ids is None else [ids]), **keywords)
    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_request_has_its_changes_checked() -> None:
    flag: Any = np.bool_(False)
    wide: Any = np.ones((1, 2))
    number: Any = 1
    assert Update("notes", taken("a", content="x"), merge=flag).merge is False
    with pytest.raises(InvalidInput) as refused:
        Update("notes", ObservationChanges(["a"]))
    assert refused.value.code == "missing_field"
    with pytest.raises(InvalidInput) as refused:
        Update("notes", taken("a", content="x"), merge=number)
    assert (refused.value.code, refused.value.field) == ("invalid_flag", "merge")
    with pytest.raises(InvalidInput) as refused:
        Update("notes", ObservationChanges(["a"], wide))
    assert (refused.value.code, refused.value.field) == ("invalid_column", "vectors")

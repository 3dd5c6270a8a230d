"""What an update changes, and conditions, as messages of protobuf."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.operations.changes import ObservationChanges
from engram.model.priority import Priority
from engram.wire import engram_pb2 as pb
from engram.wire.observations import decode_changes, encode_changes
from engram.wire.operations.table import CODECS


def columns(**given: Any) -> pb.ObservationBatch:
    values: dict[str, Any] = {"count": 2, "ids": ["a", "b"], **given}
    return pb.ObservationBatch(**values)


def test_what_has_no_entry_is_not_named() -> None:
    changes = decode_changes(columns(contents=["", ""]))
    assert (list(changes.ids), changes.vectors, changes.columns) == (["a", "b"], None, {"contents": ["", ""]})


def test_what_is_named_is_in_the_message_also_if_it_is_the_default() -> None:
    given: dict[str, Any] = {"confidences": np.ones(2, np.float32), "tags": [[], []], "metadata": ["", ""]}
    message = encode_changes(ObservationChanges(["a", "b"], None, given), Priority.LOW)
    assert (list(message.confidences), len(message.tags), list(message.metadata_json)) == ([1.0, 1.0], 2, ["", ""])
    assert (message.priority, message.dimension, message.vectors) == (pb.PRIORITY_LOW, 0, b"")
    assert set(decode_changes(message).columns) == set(given)


def test_a_server_of_before_refuses_to_change_all_but_the_expiry() -> None:
    given: dict[str, Any] = {"contents": ["x", "y"], "expires_us": np.array([5, 6])}
    message = encode_changes(ObservationChanges(["a", "b"], None, given), Priority.NORMAL)
    assert decode_changes(message).columns["expires_us"].tolist() == [5, 6]
    # What such a server passes over.
    message.ClearField("expires_us")
    with pytest.raises(InvalidInput) as refused:
        decode_changes(message)
    assert (refused.value.code, refused.value.field) == ("column_length", "ids")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        (columns(), "missing_field", "changes"),
        (columns(count=3, contents=["x", "y"]), "column_length", "ids"),
        (columns(contents=["x"]), "column_length", "contents"),
        (columns(ids=["a", "a"], contents=["x", "y"]), "duplicate_id", "ids[1]"),
        (columns(count=0, ids=[]), "batch_count", "ids"),
        (columns(dimension=2, vectors=b"1234"), "vectors_size", "vectors"),
        (columns(dimension=0, vectors=b"1234"), "vectors_size", "vectors"),
        (columns(confidences=[0.5, float("nan")]), "confidence_range", "confidence[1]"),
        (columns(metadata_json=["{}", "5"]), "invalid_metadata", "metadata[1]"),
        (columns(contents=["x", "y"], priority=9), "invalid_priority", "priority"),
    ],
)
def test_updates_that_cannot_be_are_refused(changes: pb.ObservationBatch, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        CODECS["update"].decode_request(pb.UpdateRequest(changes=changes))
    assert (refused.value.code, refused.value.field) == (code, field)


def test_one_generation_is_that_of_all() -> None:
    for given, expected in (([7], (7, 7)), ([0, 7], (0, 7))):
        conditional = pb.ConditionalBatch(batch=columns(), expected_generations=given)
        request = CODECS["observe"].decode_request(pb.RememberRequest(conditional=conditional))
        assert request.expected_generations == expected


@pytest.mark.parametrize(
    ("batch", "expected", "code", "field"),
    [
        (columns(), [], "column_length", "expected_generations"),
        (columns(), [1, 2, 3], "column_length", "expected_generations"),
        (columns(), [1, 2**63], "invalid_condition", "expected_generations[1]"),
        (columns(ids=["a", "a"]), [0], "duplicate_id", "ids[1]"),
        (columns(count=1), [0], "column_length", "ids"),
    ],
)
def test_conditions_that_cannot_be_are_refused(
    batch: pb.ObservationBatch, expected: list[int], code: str, field: str
) -> None:
    conditional = pb.ConditionalBatch(batch=batch, expected_generations=expected)
    with pytest.raises(InvalidInput) as refused:
        CODECS["observe"].decode_request(pb.RememberRequest(conditional=conditional))
    assert (refused.value.code, refused.value.field) == (code, field)

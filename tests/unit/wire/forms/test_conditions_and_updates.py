"""Conditions and updates in JSON, alone and in frames."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.operations import table
from engram.model.operations.operation import Operation
from engram.model.operations.requests import Observe
from engram.model.operations.updates import Update
from engram.model.priority import Priority
from engram.wire.forms.observations import read_observations
from engram.wire.forms.requests import RequestReader


def read(operation: Operation[Any], value: Any, arrays: Any = None) -> Any:
    return RequestReader(operation).read(json.dumps(value).encode(), "notes", arrays)


def test_conditions_come_with_observations() -> None:
    several: dict[str, Any] = {"ids": ["a", "b"], "vectors": [[1], [2]]}
    cases: list[tuple[dict[str, Any], Any]] = [
        ({}, None),
        ({"if_absent": False}, None),
        ({"if_absent": True}, (0, 0)),
        ({"expected_generations": 7}, (7, 7)),
        ({"expected_generations": [0, 2**63 - 1]}, (0, 2**63 - 1)),
    ]
    for conditions, expected in cases:
        request = read(table.OBSERVE, several | conditions)
        assert isinstance(request, Observe)
        assert request.expected_generations == expected
    arrays: dict[str, Any] = {"vectors": np.ones((2, 3), np.float32)}
    framed = read(table.OBSERVE, {"ids": ["a", "b"], "if_absent": True, "arrays": []}, arrays)
    assert framed.expected_generations == (0, 0)


@pytest.mark.parametrize(
    ("value", "code", "field"),
    [
        ({"ids": ["a"], "if_absent": 1}, "wrong_type", "if_absent"),
        ({"ids": ["a"], "if_absent": True, "expected_generations": 1}, "invalid_condition", "if_absent"),
        ({"ids": ["a"], "expected_generations": "1"}, "wrong_type", "expected_generations"),
        ({"ids": ["a"], "expected_generations": -1}, "invalid_condition", "expected_generations"),
        ({"ids": ["a"], "expected_generations": [1, 2]}, "column_length", "expected_generations"),
        ({"ids": ["a"], "expected_generations": [None]}, "wrong_type", "expected_generations[0]"),
        ({"ids": ["a", "a"], "expected_generations": [1, 2]}, "duplicate_id", "ids[1]"),
    ],
)
def test_conditions_that_cannot_be_are_refused(value: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(table.OBSERVE, value)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_an_update_has_the_columns_that_are_named() -> None:
    metadata = [{"n": 1, "gone": None}, None]
    value: dict[str, Any] = {"ids": ["a", "b"], "metadata": metadata, "tags": [[], ["x"]], "contents": ["", "y"]}
    request = read(table.UPDATE, value | {"merge": False, "priority": "low"})
    assert isinstance(request, Update)
    assert (list(request.changes.ids), request.changes.vectors) == (["a", "b"], None)
    assert set(request.changes.columns) == {"metadata", "tags", "contents"}
    assert list(request.changes.columns["contents"]) == ["", "y"]
    assert [json.loads(text or "null") for text in request.changes.columns["metadata"]] == metadata
    assert (request.merge, request.priority) == (False, Priority.LOW)
    assert read(table.UPDATE, value).merge is True
    arrays: dict[str, Any] = {"vectors": np.ones((1, 3), np.float32), "confidences": np.ones(1, np.float32)}
    framed = read(table.UPDATE, {"ids": ["a"], "arrays": []}, arrays).changes
    assert (framed.vectors is arrays["vectors"], set(framed.columns)) == (True, {"confidences"})


@pytest.mark.parametrize(
    ("value", "code", "field"),
    [
        ({}, "missing_field", "ids"),
        ({"ids": ["a"]}, "missing_field", "changes"),
        ({"ids": ["a"], "contents": None, "tags": None}, "missing_field", "changes"),
        ({"ids": [], "contents": []}, "batch_count", "ids"),
        ({"ids": ["a"], "contents": ["x", "y"]}, "column_length", "contents"),
        ({"ids": ["a"], "contents": [5]}, "wrong_type", "contents[0]"),
        ({"ids": ["a"], "contents": [None]}, "invalid_column", "contents"),
        ({"ids": ["a"], "vectors": [None]}, "invalid_column", "vectors"),
        ({"ids": ["a"], "vectors": [[]]}, "dimension_mismatch", "vectors"),
        ({"ids": ["a"], "tags": [None]}, "not_a_list", "tags[0]"),
        ({"ids": ["a"], "metadata": [1]}, "invalid_metadata", "metadata[0]"),
        ({"ids": ["a"], "confidences": [2]}, "confidence_range", "confidence[0]"),
        ({"ids": ["a", "a"], "contents": ["x", "y"]}, "duplicate_id", "ids[1]"),
        ({"ids": ["a"], "contents": ["x"], "if_absent": True}, "unknown_field", "if_absent"),
        ({"ids": ["a"], "contents": ["x"], "merge": "no"}, "wrong_type", "merge"),
    ],
)
def test_updates_that_cannot_be_are_refused(value: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(table.UPDATE, value)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_one_observation_and_columns_have_conditions_alike() -> None:
    cases: list[tuple[dict[str, Any], Any]] = [({"if_absent": True}, (0,)), ({"expected_generations": 3}, (3,))]
    values: list[dict[str, Any]] = [{"id": "a"}, {"ids": ["a"]}]
    for value in values:
        assert read_observations(json.dumps(value).encode())[3] is None
        for conditions, expected in cases:
            *_, key, told = read_observations(json.dumps({**value, **conditions, "idempotency_key": "k"}).encode())
            assert (key, told) == ("k", expected)
    with pytest.raises(InvalidInput) as caught:
        read_observations(b'{"id":"a","expected_generations":[1,2]}')
    assert (caught.value.code, caught.value.field) == ("column_length", "expected_generations")

"""The conditions of an `observe`, as callers pass them and as a request has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.operations.conditions import as_expected, expected_of
from engram.model.operations.requests import Observe
from engram.model.query import GENERATION_MAX
from tests.doubles.batches import batch_of

IDS = ["a", "b"]


@pytest.mark.parametrize(
    ("if_absent", "given", "expected"),
    [
        (False, None, None),
        (np.bool_(False), None, None),
        (True, None, (0, 0)),
        (False, 7, (7, 7)),
        (False, np.int64(7), (7, 7)),
        (False, GENERATION_MAX, (GENERATION_MAX, GENERATION_MAX)),
        (False, [0, 7], (0, 7)),
        (False, (np.uint8(1), 2), (1, 2)),
        (False, np.array([1, 2]), (1, 2)),
        (False, iter([1, 2]), (1, 2)),
    ],
)
def test_a_condition_is_a_generation_for_each_id(if_absent: Any, given: Any, expected: Any) -> None:
    made = expected_of(IDS, if_absent, given)
    assert made == expected
    assert all(type(each) is int for each in made or ())


@pytest.mark.parametrize(
    ("if_absent", "given", "code", "field"),
    [
        (None, None, "invalid_flag", "if_absent"),
        (1, None, "invalid_flag", "if_absent"),
        ("no", 1, "invalid_flag", "if_absent"),
        (True, 0, "invalid_condition", "if_absent"),
        (True, [0, 0], "invalid_condition", "if_absent"),
        (False, -1, "invalid_condition", "expected_generations"),
        (False, True, "invalid_condition", "expected_generations"),
        (False, 1.0, "invalid_condition", "expected_generations"),
        (False, float("nan"), "invalid_condition", "expected_generations"),
        (False, GENERATION_MAX + 1, "invalid_condition", "expected_generations"),
        (False, "12", "not_a_list", "expected_generations"),
        (False, {"a": 1, "b": 2}, "not_a_list", "expected_generations"),
        (False, {1, 2}, "not_a_list", "expected_generations"),
        (False, object(), "not_a_list", "expected_generations"),
        (False, [], "column_length", "expected_generations"),
        (False, [1], "column_length", "expected_generations"),
        (False, [1, 2, 3], "column_length", "expected_generations"),
        (False, [1, None], "invalid_condition", "expected_generations[1]"),
        (False, [1, 2.0], "invalid_condition", "expected_generations[1]"),
        (False, np.array([1.0, 2.0]), "invalid_condition", "expected_generations[0]"),
    ],
)
def test_what_is_no_condition_is_refused(if_absent: Any, given: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        expected_of(IDS, if_absent, given)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert refused.value.limit


def test_each_id_is_named_once() -> None:
    for given in (1, [1, 1, 2]):
        with pytest.raises(InvalidInput) as refused:
            as_expected(given, ["a", "b", "a"])
        assert (refused.value.code, refused.value.field, refused.value.value) == ("duplicate_id", "ids[2]", "'a'")
    assert expected_of(["a", "a"], if_absent=False, expected_generations=None) is None


def test_a_request_has_its_conditions_checked() -> None:
    batch = batch_of(IDS)
    assert Observe("notes", batch).expected_generations is None
    assert Observe("notes", batch, expected_generations=[1, 0]).expected_generations == (1, 0)
    with pytest.raises(InvalidInput) as refused:
        Observe("notes", batch, expected_generations=[1])
    assert refused.value.code == "column_length"

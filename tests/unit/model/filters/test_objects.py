"""Objects that are read as filters: the limits hold while they are read, and errors show no whole payload."""

from __future__ import annotations

from typing import Any

import pytest

from engram import F, Filter
from engram.errors import EngramError, InvalidInput
from engram.model.filters import objects
from engram.model.filters.conditions import Condition
from engram.model.filters.objects import condition_of_object
from engram.model.limits import FILTER_NODES_MAX, FILTER_VALUES_MAX
from tests.doubles.counted_calls import count_calls

FULL: dict[str, dict[str, Any]] = {
    "or": {"or": [{"a": 1}] * (FILTER_NODES_MAX - 1)},
    "keys": {f"key{number}": number for number in range(FILTER_NODES_MAX - 1)},
    "empty": {"and": [{}] * (FILTER_NODES_MAX - 1)},
    "operators": {"or": [{"a": {"ge": 1, "lt": 2}}] * ((FILTER_NODES_MAX - 1) // 3)},
    "comparisons": {"or": [{"op": "exists", "key": "a"}] * (FILTER_NODES_MAX - 1)},
    "conditions": {"or": [~(F.a == 1)] * ((FILTER_NODES_MAX - 1) // 2)},
    "values": {"or": [{"a": {"in": list(range(FILTER_VALUES_MAX // 4))}}] * 4},
}
TOO_LARGE: dict[str, dict[str, Any]] = {
    "many": {"or": [{"a": 1}] * FILTER_NODES_MAX},
    "lists": {"or": [{"or": [{"a": 1}] * 1000}] * 1000},
    "keys": {"or": [{f"key{number}": 1 for number in range(1000)}] * 1000},
    "operators": {"or": [{"a": {"ge": 1, "lt": 2, "gt": 3}}] * 1000},
    "filters": {"or": [{"or": [{"tags": ["a"]}] * 1000}] * 1000},
    "values": {"or": [{"a": {"in": list(range(FILTER_VALUES_MAX))}}] * 1000},
    "conditions": {"or": [F.a.is_in(range(FILTER_VALUES_MAX))] * 1000},
}


@pytest.mark.parametrize("filter", FULL.values(), ids=FULL)
def test_a_filter_of_the_largest_size_is_read(filter: dict[str, Any]) -> None:
    assert isinstance(condition_of_object(filter), Condition)


@pytest.mark.parametrize("filter", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_filter_that_is_too_large_is_not_read_to_its_end(
    filter: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = count_calls(monkeypatch, objects, "compared", "filter_of_fields", "_time_or")
    with pytest.raises(InvalidInput) as caught:
        condition_of_object(filter)
    assert (caught.value.code, caught.value.field) == ("filter_size", "filter")
    assert read["compared"] + read["filter_of_fields"] <= FILTER_NODES_MAX
    assert read["_time_or"] <= FILTER_VALUES_MAX + FILTER_NODES_MAX


NAME = "n" * 1_000_000
CARELESS: dict[str, Any] = {
    "a list in a list": {"and": [list(range(100_000))]},
    "an operator that is a list": {"op": ["eq"], "key": "deck", "value": 2},
    "an operator that is an object": {"op": {}, "key": "deck", "value": 2},
    "an operator that is nothing": {"op": None, "key": "deck"},
    "a long operator": {"op": NAME, "key": "deck", "value": 2},
    "a long short operator": {"deck": {NAME: 2}},
    "a long attribute": {"op": "eq", "of": NAME, "value": 2},
    "a long nested key": {f"a.{NAME}": 1},
    "a long key of a list": {NAME: [1]},
    "a long key beside others": {NAME: 1, "op": "eq"},
    "a long value": {"op": "exists", "key": "deck", "value": NAME},
    "a long range": {"deck": {"between": NAME}},
}


@pytest.mark.parametrize("filter", CARELESS.values(), ids=CARELESS)
def test_what_cannot_be_read_is_refused_in_few_words(filter: dict[str, Any]) -> None:
    with pytest.raises(EngramError) as caught:
        condition_of_object(filter)
    error = caught.value
    assert error.code == "invalid_filter"
    assert max(len(str(each)) for each in (error, error.field, error.limit, error.value)) < 1000


def test_very_many_tags_are_refused_before_each_is_looked_at() -> None:
    with pytest.raises(InvalidInput) as caught:
        Filter(tags=["a", *[object()] * 100_000])  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.field) == ("invalid_cue", "filter")

"""Cues and filters refuse what could never be met."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.cue import Between, Cue, Filter, as_cue
from engram.model.limits import FILTER_BYTES_MAX, FILTER_TERMS_MAX
from tests.case_names import named


def test_a_vector_and_a_text_are_cues_and_a_cue_is_itself() -> None:
    vector, cue = [1.0, 2.0], Cue(text="x", by="words")
    assert np.asarray(as_cue(vector).vector).tolist() == vector
    assert as_cue("coast").text == "coast"
    assert as_cue(cue) is cue


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"tags": "red"}, "tags"),
        ({"tags": b"red"}, "tags"),
        ({"without_tags": "red"}, "without_tags"),
        ({"tags": None}, "tags"),
        ({"tags": {"a": 1}}, "tags"),
        ({"tags": {""}}, "tag"),
        ({"tags": {"\ud800"}}, "tag"),
        ({"metadata": "k"}, "metadata"),
        ({"metadata": None}, "metadata"),
        ({"metadata": {7: 1}}, "key"),
        ({"metadata": {"k": float("nan")}}, "metadata[k]"),
        ({"metadata": {"k": float("inf")}}, "metadata[k]"),
        ({"metadata": {"k": 10**5000}}, "metadata[k]"),
        ({"metadata": {"k": "\udfff"}}, "metadata[k]"),
        ({"metadata": {"k": np.array([1])}}, "metadata[k]"),
        ({"confidence_min": "high"}, "confidence_min"),
        ({"confidence_min": True}, "confidence_min"),
        ({"since": True}, "since"),
        ({"since": np.datetime64("NaT")}, "since"),
        ({"until": 1_764_000_000 * 10**9}, "until"),
        ({"tags": {1}}, "tag"),
        ({"without_tags": {"x" * (FILTER_BYTES_MAX + 1)}}, "tag"),
        ({"tags": {f"{i}" for i in range(FILTER_TERMS_MAX + 1)}}, "filter"),
        ({"metadata": {"k": [1]}}, "metadata[k]"),
        ({"metadata": {"k": "ü" * FILTER_BYTES_MAX}}, "metadata[k]"),
        ({"confidence_min": 1.5}, "confidence_min"),
        ({"confidence_min": float("nan")}, "confidence_min"),
        ({"since": float("inf")}, "since"),
        ({"until": "yesterday"}, "until"),
    ],
)
def test_impossible_filters_are_refused(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Filter(**arguments)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "arguments",
    [
        {"by": "words"},
        {"vector": [1.0], "by": "both"},
        {"text": "x", "by": "meaning"},
        {"text": "x", "by": "words", "score_min": 0.5},
        {"text": "x", "by": "both", "score_min": 0.5},
        {"score_min": 0.5},
        {"vector": [1.0], "score_min": float("nan")},
        {"vector": [1.0], "score_min": "0.5"},
        {"vector": [1.0], "score_min": True},
        {"text": 5},
        {"text": "\ud800"},
        {"filter": {"tags": 5}},
    ],
)
def test_impossible_cues_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        Cue(**arguments)
    assert caught.value.code in ("invalid_cue", "not_a_list")


@pytest.mark.parametrize(
    "cue", ["", None, [], b"text", 5, {}, object(), np.ones((2, 2)), [None], ["a", "b"]], ids=named
)
def test_what_says_nothing_is_no_cue(cue: Any) -> None:
    with pytest.raises(InvalidInput):
        as_cue(cue)


def test_a_filter_alone_or_nothing_at_all_is_a_cue_for_the_newest() -> None:
    assert [cue.ranks for cue in (Cue(), Cue(filter=Filter(tags={"red"})))] == [False, False]


@pytest.mark.parametrize(
    "ends",
    [
        ("a", "b"),
        ("1", None),
        (2, 1),
        (float("nan"), None),
        (None, float("nan")),
        (True, 2),
        (b"1", 2),
        (10**400, None),
        (float("inf"), None),
        (None, float("-inf")),
        (float("inf"), float("inf")),
    ],
    ids=named,
)
def test_a_range_that_holds_nothing_is_refused(ends: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        Between(*ends)
    assert caught.value.code == "invalid_cue"


def test_a_bound_that_bounds_nothing_is_none() -> None:
    assert Between(float("-inf"), 2) == Between(None, 2)
    assert Between(2, float("inf")) == Between(2, None)
    assert Between(float("-inf"), float("inf")) == Between()


def test_numbers_of_numpy_are_numbers() -> None:
    ends: Any = np.int64(1), np.float32(2)
    assert Between(*ends) == Between(1, 2)
    wanted: Any = {"a": np.int64(3), "b": np.float64(0.5), "c": np.bool_(True)}
    metadata = Filter(metadata=wanted).metadata
    assert {key: (value, type(value)) for key, value in metadata.items()} == {
        "a": (3, int),
        "b": (0.5, float),
        "c": (True, bool),
    }


def test_moments_are_seconds_or_datetimes() -> None:
    filter = Filter(since=1.5, until=datetime(1970, 1, 2, tzinfo=UTC))
    assert (filter.since_us, filter.until_us) == (1_500_000, 86_400_000_000)


@pytest.mark.parametrize(
    ("filter", "is_open"),
    [
        (Filter(), True),
        (Filter(since=0), False),
        (Filter(until=0), False),
        (Filter(tags=frozenset("x")), False),
        (Filter(without_tags=frozenset("x")), False),
        (Filter(metadata={"k": Between()}), False),
        (Filter(confidence_min=0.1), False),
    ],
)
def test_a_filter_knows_whether_everything_passes(filter: Filter, is_open: bool) -> None:
    assert filter.is_open == is_open

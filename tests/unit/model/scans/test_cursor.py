"""Cursors are read as they were written, and refused everywhere else."""

from __future__ import annotations

import base64
import contextlib
import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import FailedPrecondition, InvalidInput
from engram.model.cue import NO_FILTER, Between, Filter
from engram.model.scans.cursor import check_cursor, decode_cursor, encode_cursor, scan_digest

SPACE, OTHER = "0123456789abcdef" * 2, "f" * 32
KEYS = {"generation": (7,), "time": (-5, 7), "id": ("ä\x00/?🙂",)}


@pytest.mark.parametrize("order", KEYS)
def test_a_cursor_is_read_as_it_was_written(order: str) -> None:
    text = encode_cursor(SPACE, OTHER, 9, "digest", KEYS[order])
    assert text.isascii()
    assert text.replace("-", "").replace("_", "").isalnum()
    cursor = decode_cursor(text)
    assert (cursor.generation, cursor.key) == (9, KEYS[order])
    check_cursor(cursor, SPACE, OTHER, "digest", order)


@pytest.mark.parametrize(
    ("space", "incarnation", "scan", "order"),
    [(OTHER, OTHER, "digest", "id"), (SPACE, OTHER, "another", "id"), (SPACE, OTHER, "digest", "time")],
)
def test_a_cursor_of_something_else_is_refused(space: str, incarnation: str, scan: str, order: str) -> None:
    cursor = decode_cursor(encode_cursor(SPACE, OTHER, 9, "digest", KEYS["id"]))
    with pytest.raises(InvalidInput) as refused:
        check_cursor(cursor, space, incarnation, scan, order)
    assert (refused.value.code, refused.value.field) == ("invalid_cursor", "cursor")


def test_a_cursor_of_a_lost_future_is_refused_by_name() -> None:
    cursor = decode_cursor(encode_cursor(SPACE, OTHER, 9, "digest", KEYS["id"]))
    with pytest.raises(FailedPrecondition) as refused:
        check_cursor(cursor, SPACE, SPACE, "digest", "id")
    assert (refused.value.code, refused.value.field) == ("other_incarnation", "cursor")


def test_a_cursor_knows_when_its_scan_began_if_that_matters() -> None:
    assert decode_cursor(encode_cursor(SPACE, OTHER, 9, "digest", KEYS["id"])).due_us == 0
    assert decode_cursor(encode_cursor(SPACE, OTHER, 9, "digest", KEYS["id"], 77)).due_us == 77


FORGED: list[object] = [
    *([], {}, None, 5, "x", [1, 2], [2, "a", "b", 3, "c", [1]], [1, "a", "b", True, "c", [1]]),
    *([1, "a", "b", 3.0, "c", [1]], [1, "a", "b", 3, "c", "x"], [1, "a", "b", 3, "c", [1], 1], [[[[]]]]),
]


@pytest.mark.parametrize("form", FORGED, ids=repr)
def test_what_no_scan_has_given_is_refused(form: object) -> None:
    text = base64.urlsafe_b64encode(json.dumps(form).encode()).decode().rstrip("=")
    with pytest.raises(InvalidInput, match="the cursor cannot be used here"):
        decode_cursor(text)


@given(st.text(max_size=200))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        decode_cursor(text)


SAME = [
    (Filter(tags={"a", "b", "c"}), Filter(tags={"c", "a", "b"})),
    (Filter(metadata={"a": 1, "b": 2}), Filter(metadata={"b": 2, "a": 1})),
    (Filter(since=datetime.date(2025, 1, 2)), Filter(since="2025-01-02T00:00:00Z")),
    (NO_FILTER, Filter()),
]
DIFFERENT = [
    NO_FILTER,
    Filter(tags={"a"}),
    Filter(without_tags={"a"}),
    Filter(since=5),
    Filter(until=5),
    Filter(confidence_min=0.5),
    Filter(metadata={"a": 1}),
    Filter(metadata={"a": True}),
    Filter(metadata={"a": "1"}),
    Filter(metadata={"a": None}),
    Filter(metadata={"a": Between(1, 2)}),
    Filter(metadata={"a": Between(1)}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_filter_has_the_same_digest(one: Filter, other: Filter) -> None:
    assert scan_digest(one, "id", False) == scan_digest(other, "id", False)


def test_different_scans_have_different_digests() -> None:
    digests = {scan_digest(filter, order, False) for filter in DIFFERENT for order in KEYS}
    assert len(digests) == len(DIFFERENT) * len(KEYS)
    assert scan_digest(NO_FILTER, "id", True) != scan_digest(NO_FILTER, "id", False)

"""What JSON allows and readers disagree about has one fate, and reading what is stored never fails."""

from __future__ import annotations

import json
import logging
import math
from collections import UserDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engram.model.values.metadata
from engram.errors import InvalidInput
from engram.model.limits import METADATA_DEPTH_MAX, METADATA_KEYS_MAX
from engram.model.values.metadata import (
    check_metadata,
    check_metadata_column,
    encode_metadata,
    read_metadata,
    read_metadata_column,
)


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_ordinary_metadata_come_back_as_they_were(metadata: dict[str, Any]) -> None:
    text = encode_metadata(metadata, "metadata")
    check_metadata(text, "metadata")
    assert (read_metadata(text) or {}) == metadata


@pytest.mark.parametrize(
    "text",
    [
        nested(METADATA_DEPTH_MAX),
        '{"a":' + "[" * (METADATA_DEPTH_MAX - 1) + "]" * (METADATA_DEPTH_MAX - 1) + "}",
        json.dumps({f"{n}": 0 for n in range(METADATA_KEYS_MAX)}),
        json.dumps({"a": "{" * 100 + ":" * 2000}),
        '{"a":18446744073709551615,"b":-9223372036854775808}',
        '{"a":1e308,"b":1e-999,"c":-0.0}',
        '{"a":"\\ud83d\\ude00","b":"\\\\ud800"}',
        '{"a":{"k":1},"b":{"k":1}}',
        '{"":""}',
    ],
    ids=lambda text: text[:24],
)
def test_what_is_within_the_limits_passes(text: str) -> None:
    check_metadata(text, "metadata")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (nested(METADATA_DEPTH_MAX + 1), "33 levels"),
        (nested(964), "levels"),
        (nested(20_000), "levels"),
        ('{"a":' + "[" * 40 + "]" * 40 + "}", "41 levels"),
        (json.dumps({f"{n}": 0 for n in range(METADATA_KEYS_MAX + 1)}), "1025 keys"),
        (json.dumps({f"{n}": {"k": 0} for n in range(600)}), "1200 keys"),
        ('{"a":NaN}', "NaN is no number"),
        ('{"a":-Infinity}', "Infinity is no number"),
        ('{"a":[1e999]}', "beyond what a double"),
        ('{"a":18446744073709551616}', "64 bits"),
        ('{"a":-9223372036854775809}', "64 bits"),
        ('{"a":' + "9" * 5000 + "}", "64 bits"),
        ('{"a":1,"a":2}', "'a' occurs twice"),
        ('{"b":[{"a":1,"a":1}]}', "'a' occurs twice"),
        ('{"a":"\\ud800"}', "surrogate"),
        ('{"\\uDFFF":1}', "surrogate"),
        ('{"a":["\\ude00\\ud83d"]}', "surrogate"),
        ("[1]", "not a JSON object"),
        ("{", "not a JSON object"),
        ('{"a":01}', "not a JSON object"),
        ("\ufeff{}", "not a JSON object"),
    ],
    ids=lambda text: text[:24],
)
def test_what_is_not_is_refused_with_the_place(text: str, word: str) -> None:
    with pytest.raises(InvalidInput, match=word) as caught:
        check_metadata(text, "metadata[7]")
    assert (caught.value.code, caught.value.field) == ("invalid_metadata", "metadata[7]")
    str(caught.value).encode()


@given(st.lists(st.sampled_from(["", '{"a":1}', '{"b":[1,{"c":"x"}]}', json.dumps({"a": "{" * 100})]), max_size=9))
def test_a_column_of_good_texts_passes(texts: list[str]) -> None:
    check_metadata_column(texts)


PIECES = [
    '{"a":1}',
    '{"a":1},{"b":2}',
    '{"x":[1',
    "2]}",
    "null",
    '"',
    "",
    nested(40),
    '{"a":NaN}',
    '{"k":1,"k":1}',
    "]",
    "[",
]


@given(st.lists(st.sampled_from(PIECES) | st.text('{}[],:"a1', max_size=8), max_size=6))
def test_a_column_is_refused_at_the_first_text_that_would_be_alone(texts: list[str]) -> None:
    wrong = None
    for row, text in enumerate(texts):
        try:
            if text:
                check_metadata(text, f"metadata[{row}]")
        except InvalidInput as error:
            wrong = wrong or error.message
    if wrong is None:
        check_metadata_column(texts)
        return
    with pytest.raises(InvalidInput) as caught:
        check_metadata_column(texts)
    assert caught.value.message == wrong


def test_what_python_has_and_json_has_not_is_refused() -> None:
    deep: dict[str, Any] = {}
    inner = deep
    for _ in range(5000):
        inner["a"] = inner = {}
    circle: dict[str, Any] = {}
    circle["a"] = circle
    wrong: list[Any] = [
        deep,
        circle,
        {"a": float("nan")},
        {"a": 10**5000},
        {"a": object()},
        {(1, 2): 3},
        [("a", 1)],
        b"{}",
        5,
    ]
    for metadata in wrong:
        with pytest.raises(InvalidInput) as caught:
            encode_metadata(metadata, "metadata")
        assert caught.value.code == "invalid_metadata"


UNREADABLE = [nested(5000), '{"a":' + "9" * 5000 + "}", "{", "[1]", "5", "\x00"]


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: text[:12])
def test_what_an_older_version_stored_is_read_or_left_alone(text: str) -> None:
    assert read_metadata(text) is None
    assert read_metadata_column(['{"k":1}', text, "", '{"a":NaN}'])[:3] == [{"k": 1}, None, None]


def test_one_text_cannot_pass_for_several() -> None:
    assert read_metadata_column(['{"a":1},{"b":2}', '{"c":3}']) == [None, {"c": 3}]


def test_the_log_says_so_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    engram.model.values.metadata._unreadable_logged.clear()
    with caplog.at_level(logging.WARNING):
        read_metadata_column(UNREADABLE)
        read_metadata_column(UNREADABLE)
    assert len(caplog.records) == 1


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_metadata_are_written_as_the_library_writes_them(metadata: dict[str, Any]) -> None:
    plain = json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))
    assert encode_metadata(metadata, "metadata") == plain
    assert encode_metadata(UserDict(metadata), "metadata") == plain


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "of type object"),
        ({1}, "of type set"),
        (math.nan, "not JSON"),
        ({(): 1}, "keys must"),
    ],
)
def test_what_json_cannot_say_is_named(value: Any, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        encode_metadata({"k": [value]}, "metadata")
    assert (caught.value.code, caught.value.field) == ("invalid_metadata", "metadata")


def test_a_circle_is_no_depth() -> None:
    circle: dict[str, Any] = {}
    circle["again"] = [circle]
    with pytest.raises(InvalidInput, match="Circular"):
        encode_metadata(circle, "metadata")
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"k": deep}
    with pytest.raises(InvalidInput, match="nested deeper"):
        encode_metadata(deep, "metadata")
    # Neither leaves anything behind.
    assert encode_metadata({"again": [{}]}, "metadata") == '{"again":[{}]}'

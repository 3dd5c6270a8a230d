"""What can be told of an object that is no JSON: the fields in front of what is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.wire.forms import leading_fields as module
from engram.wire.forms.leading_fields import leading_fields


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (b'{"type":"recall","id":3,"vector":[1,2', {"type": "recall", "id": 3}),
        (b' { "type" : "recall" , "id" : 3 , oops', {"type": "recall", "id": 3}),
        (b'{"id":3,"vector":[nope],"type":"recall"}', {"id": 3}),
        (b'{"id":3,"id":4}', {"id": 3}),
        (b'{"a":{"id":7},"id":3}', {"a": {"id": 7}, "id": 3}),
        (b'{"id":3,"b":"\xff', {"id": 3}),
        (b'{"id":3,7:1,"b":2}', {"id": 3}),
        (b'{"id":3,"b"}', {"id": 3}),
        (b'{"id":' + b"1" * 5000, {}),
        (b'{"id":3,"b":' + b"[" * 100_000, {"id": 3}),
        (b"[1,2]", {}),
        (b"", {}),
        (b"\xff\xfe", {}),
    ],
)
def test_fields_up_to_the_first_that_is_no_json(text: bytes, fields: dict[str, Any]) -> None:
    assert leading_fields(text) == fields


def test_numbers_that_are_none_do_not_hide_what_follows() -> None:
    assert leading_fields(b'{"vector":[NaN,Infinity,1e999],"id":3}')["id"] == 3


def test_no_more_is_looked_at_than_refusing_may_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKED_AT_BYTES", 30)
    assert leading_fields(b'{"id":3,"text":"' + b"x" * 30 + b'","type":"recall"}') == {"id": 3}


@given(st.binary(max_size=60))
def test_any_bytes_have_some_fields_or_none(data: bytes) -> None:
    assert isinstance(leading_fields(b'{"id":' + data), dict)

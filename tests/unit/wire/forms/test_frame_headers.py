"""Headers of frames: texts of any length, and little beside them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import InvalidInput
from engram.model.operations.operation import Request
from engram.model.operations.table import OBSERVE
from engram.wire.forms import strict_json
from engram.wire.forms.frame_headers import read_frame
from engram.wire.forms.requests import RequestReader
from engram.wire.forms.strict_json import check_json_size
from engram.wire.frames import decode_frame, encode_frame
from tests.unit.wire.test_frames import CORPUS, FOLDER


def read(frame: bytes) -> Request[Any]:
    text, arrays = read_frame(frame)
    return RequestReader(OBSERVE).read(text, "notes", arrays)


@pytest.mark.parametrize("entry", CORPUS, ids=lambda each: each["name"])
def test_frames_are_read_or_refused_as_by_every_decoder(entry: dict[str, Any]) -> None:
    frame = (FOLDER / entry["file"]).read_bytes()
    if entry["verdict"] == "bad":
        with pytest.raises(InvalidInput):
            read(frame)
        return
    text, arrays = read_frame(frame)
    wanted = decode_frame(frame)
    header = json.loads(text)
    header.pop("arrays")
    assert header == wanted.header
    assert arrays.keys() == wanted.arrays.keys()
    assert all(np.array_equal(arrays[name], wanted.arrays[name], equal_nan=True) for name in arrays)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def outside(value: Any) -> int:
    """The bytes of compact JSON of a value, its texts empty."""
    if isinstance(value, str):
        return 2
    if isinstance(value, list):
        return 1 + max(1, len(value)) + sum(map(outside, value))
    if isinstance(value, dict):
        return 1 + max(1, len(value)) + sum(3 + outside(each) for each in value.values())
    return len(json.dumps(value))


@given(JSONS, st.booleans(), st.integers(1, 9))
def test_what_is_outside_of_texts_is_counted_wherever_it_is_cut(value: Any, ascii_only: bool, piece: int) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":")).encode("utf-8", "replace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_json, "_PIECE_BYTES", piece)
        assert strict_json._bytes_outside_texts(text) == outside(value)


def test_texts_may_be_large_and_the_rest_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "JSON_BYTES_MAX", 100)
    for text in ("x" * 1000, '"' * 1000, "\\" * 1000, ",[{:" * 100, "🌊" * 100):
        check_json_size(json.dumps({"contents": [text], "ids": ["a"]}).encode(), "the body")
    values: list[Any] = [[[]] * 60, [1] * 60, [""] * 60, {str(n): 1 for n in range(60)}]
    for value in values:
        with pytest.raises(InvalidInput) as caught:
            read_frame(encode_frame({"x": value}, {}))
        assert (caught.value.code, caught.value.limit) == ("json_bytes", "100")
        assert int(caught.value.value) > 100

"""A request whose vector native code cuts out is the one that the reader of JSON makes of it, or the same error."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram import _core
from engram.errors import EngramError
from engram.model.operations.table import OPERATIONS
from engram.server.handlers import vector_cut
from engram.server.handlers.vector_cut import read_observed, read_request
from engram.wire.forms.observations import read_observations
from engram.wire.forms.requests import RequestReader

RECALL = RequestReader(OPERATIONS["recall"])
NUMBERS = [
    *("0", "-0", "1", "-1.5", "1e-3", "1E5", "0.013771057", "-0.022418763", "123456789012345678901234567890", "1e-400"),
    *("16777217", "3.4028235e38", "1.00000017881393432617187499", "2e-45"),
]
BAD = ["NaN", "1e400", "3.5e38", "01", "1.", ".5", "+1", "null", '"1"', "[1]", "true", "1_0", "Infinity", "0x1", ""]
FIELDS = [
    *('"k":3', '"id":"a"', '"content":"a: b"', '"text":"x"', '"by":"similarity"', '"filter":{"tags":["vector"]}'),
    *('"metadata":{"vector":[1]}', '"vector":[1]', '"id":"b"', '"ids":["a"]', '"score_min":0.5', '"x":1', '"k":"3"'),
    '"content":"\\u003a\\"vector\\":[1]"',
]


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


vectors = (
    st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=6).map(lambda each: f"[{', '.join(each)}]")
    | st.lists(st.floats(width=32), max_size=4).map(lambda each: f"[{','.join(map(repr, each))}]")
    | st.lists(st.sampled_from([*NUMBERS[:3], *BAD]), max_size=4).map(lambda each: f"[{','.join(each)}]")
    | st.sampled_from([f'"{packed(1.5, -2)}"', f'"{packed(float("nan"))}"', '"AAA"', '"', '""', "null", "[]", "{}"])
)
texts = st.builds(
    lambda vector, before, behind: "{" + ",".join([*before, f'"vector" : {vector}', *behind]) + "}",
    vectors,
    st.lists(st.sampled_from(FIELDS), max_size=2),
    st.lists(st.sampled_from(FIELDS), max_size=2),
).map(str.encode)
damaged = st.builds(
    lambda text, place, put, dropped: text[: place % len(text)] + put + text[place % len(text) + dropped :],
    texts,
    st.integers(0, 300),
    st.sampled_from([b"", b" ", b"[", b"}", b'"', b",", b"\x00", b"\xff", b"e", b"-"]),
    st.integers(0, 3),
)


def outcome(read: Any, *arguments: Any) -> Any:
    """What was read, as texts and bytes, or what is wrong."""
    try:
        made = read(*arguments)
    except EngramError as error:
        return error.code, error.field, error.message, str(error.limit), str(error.value)
    if isinstance(made, tuple):
        batch, *rest = made
        vectors = batch.vectors
        return batch.ids, batch.contents, batch.metadata, vectors.shape, vectors.dtype, _bits(vectors), rest
    cue = made.query.cue
    vector = None if cue.vector is None else np.asarray(cue.vector)
    bits = None if vector is None else (vector.dtype, vector.shape, _bits(vector))
    return made.space, bits, cue.text, cue.by, cue.score_min, cue.filter, made.query.k


def _bits(vector: Any) -> bytes:
    """The bytes of a vector in which zeros have no sign: for msgspec, ``-0`` is a whole number, and these have none."""
    plain: bytes = (vector + np.float32(0)).tobytes()
    return plain


@given(texts | damaged)
def test_any_text_is_read_as_without_the_native_code(text: bytes) -> None:
    assert outcome(read_request, RECALL, text, "space") == outcome(RECALL.read, text, "space")
    assert outcome(read_observed, text) == outcome(read_observations, text)


def test_an_ordinary_vector_is_cut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the numbers are read by the reader of JSON")

    monkeypatch.setattr("engram.wire.forms.vectors._packed", refuse)
    text = json.dumps({"vector": [1.5, -2, 1e-3], "k": 3}).encode()
    request: Any = read_request(RECALL, text, "space")
    assert np.array_equal(request.query.cue.vector, np.array([1.5, -2, 1e-3], np.float32))
    batch, *_ = read_observed(b'{"id": "a", "vector": [1.5, -2]}')
    assert batch.vectors.tolist() == [[1.5, -2.0]]


def test_a_frame_and_a_text_without_a_vector_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise AssertionError("cut")

    monkeypatch.setattr(_core, "cut_vectors", refuse)
    read_request(RECALL, b'{"k":3}', "space", {"vector": np.ones(3, np.float32)})
    read_request(RECALL, b'{"text":"a"}', "space")
    delete = RequestReader(OPERATIONS["delete"])
    read_request(delete, b'{"ids":["\\"vector\\""]}', "space")
    monkeypatch.setattr(vector_cut, "JSON_BYTES_MAX", 10)
    read_request(RECALL, b'{"vector":[1.0]}', "space")

"""Vectors that are cut out of JSON: the same numbers, and the same refusals, as if every object were read by itself."""

from __future__ import annotations

import binascii
import json
import random
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engram import _core
from engram.errors import InvalidInput
from engram.server.websocket.joining import joined
from engram.server.websocket.limits import SocketLimits
from engram.server.websocket.received import read_message
from engram.streaming.sessions.paused_backlog import Message

LONG_AGO_US = 1_600_000_000_000_000
FLOAT_MAX = float(np.finfo(np.float32).max)
WRITTEN = st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@st.composite
def near_a_boundary(draw: st.DrawFn) -> str:
    """Half way between two floats, or next to that, where one wrong place of a double makes another float."""
    low = np.uint32(draw(st.integers(0, 0x7F7FFFFE))).view(np.float32)
    middle = (float(low) + float(np.nextafter(low, np.float32(np.inf)))) / 2
    moved = middle
    for _ in range(draw(st.integers(0, 3))):
        moved = float(np.nextafter(moved, draw(st.sampled_from([0.0, np.inf]))))
    digits = draw(st.sampled_from([17, 18, 19, 20, 25, 60]))
    return f"{moved:.{digits}g}" if draw(st.booleans()) else f"{moved:.{digits}f}"


def cut(*vectors: str) -> np.ndarray[Any, Any] | None:
    found = _core.cut_vectors([f'{{"vector":{vector}}}'.encode() for vector in vectors])
    if found is None:
        return None
    assert found[0] == b"[" + b",".join([b'{"vector":null}'] * len(vectors)) + b"]"
    return found[1]


@given(
    st.lists(
        WRITTEN | near_a_boundary() | st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr), min_size=1
    )
)
@example(["-0", "0.0", "-0e5", "1e-46", "1e-400", "7.0064923216240854e-46", "1.17549429e-38", "16777217.000000001"])
@example(["3.4028235677973366e38", "340282346638528859811704183484516925440"])
@example(["0.1", "00"])
@settings(max_examples=500)
def test_numbers_are_those_of_a_correct_reader(texts: list[str]) -> None:
    rows = [np.float64(text) for text in texts]
    found = [cut(f"[{text}]") for text in texts]
    for text, number, row in zip(texts, rows, found, strict=True):
        try:
            is_json = isinstance(json.loads(text), int | float)
        except ValueError:
            is_json = False
        if row is None:
            # Left to another reader: what is none, or is too large or too small for a double or a float.
            assert not is_json or abs(number) > FLOAT_MAX or abs(number) < 1e-300
        else:
            assert is_json
            assert row.tolist() == [[float(np.float32(float(text)))]]


@given(st.binary(min_size=1, max_size=64))
def test_base64_is_that_of_floats(data: bytes) -> None:
    found = cut(f'"{binascii.b2a_base64(data, newline=False).decode()}"')
    if len(data) % 4:
        assert found is None
    else:
        assert found is not None
        assert found.tobytes() == data


@given(st.text(alphabet='AB+/=x-\\"\n é', max_size=12))
def test_what_is_no_base64_is_left_to_others(text: str) -> None:
    try:
        data: bytes | None = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:
        data = None
    found = cut(json.dumps(text))
    if found is not None:
        assert data is not None
        assert found.tobytes() == data


# ---- whole messages --------------------------------------------------------------------------------------------


def written(seed: int) -> list[bytes]:
    """A few observations that could come together, some of them damaged in one place or more."""
    chance = random.Random(seed)
    made = []
    for number in range(1, chance.randrange(2, 6)):
        vector: Any = [round(chance.uniform(-2, 2), chance.randrange(18)) for _ in range(4)]
        if seed % 3 == 0:
            vector = binascii.b2a_base64(np.array(vector, "<f4").tobytes(), newline=False).decode()
        fields: dict[str, Any] = {
            "type": "observation",
            "sequence_number": number,
            "id": f"i:{number}",
            "vector": vector,
        }
        beside: dict[str, Any] = {
            "content": 'a "b" {vector:[1]} \\ ä',
            "metadata": {"vector": [1, {"vector": "x"}]},
            "tags": ["x:y", "vector"],
            "timestamp": chance.choice([5, 5.5, "2020-01-01T00:00:00Z"]),
            "confidence": 0.5,
            "priority": "high",
        }
        for name in chance.sample(sorted(beside), chance.randrange(4)):
            fields[name] = beside[name]
        rest = list(fields.items())[1:]
        chance.shuffle(rest)
        text = json.dumps(
            dict([("type", "observation"), *rest]), separators=(",", ":"), ensure_ascii=chance.random() < 0.5
        )
        if chance.random() < 0.2:
            text = text.replace(",", " ,\n\t").replace("[", "[ ").replace('"vector":', '"vector" : ')
        made.append(damaged(text.encode(), chance) if chance.random() < 0.3 else text.encode())
    return made


def damaged(text: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(22, len(text))
    return chance.choice(
        [
            text[:place],
            text[:place] + text[place + 1 :],
            text[:place] + chance.choice(b'{}[]",:\\0-.e"vn \x00').to_bytes() + text[place:],
            text[:-1] + b',"vector":[1,2,3,4]}',
            text[:-1] + b',"v\\u0065ctor":[1,2,3,4]}',
            text + text[place:],
            text + b"," + text,
            text.replace(b'"vector"', b'"vectors"', 1),
            text.replace(b"[", b"[null,", 1),
            text.replace(b"[", b"[1e999,", 1),
            text.replace(b"[", b"[1e39,", 1),
        ]
    )


def outcomes(texts: list[bytes]) -> list[Any]:
    found: list[Any] = []
    for each in joined([read_message(text, is_frame=False) for text in texts], SocketLimits()):
        if isinstance(each, Message):
            batch = each.batch
            columns = [batch.vectors.tolist(), list(batch.ids), list(batch.contents), batch.tags, batch.metadata]
            numbers = [batch.confidences.tolist(), batch.importances.tolist()]
            # The others were given no time.
            times = [time_us for time_us in batch.times_us.tolist() if time_us < LONG_AGO_US]
            found.append(
                [each.first_sequence, each.priority, each.memory_id, each.are_joined, times, *numbers, *columns]
            )
        else:
            source, error = each
            assert isinstance(error, InvalidInput)
            found.append([source.text, error.code, error.message, error.field, error.limit, error.value])
    return found


def readable(texts: list[bytes]) -> list[bytes]:
    kept = []
    for text in texts:
        try:
            if read_message(text, is_frame=False).type == "observation":
                kept.append(text)
        except InvalidInput:
            pass
    return kept


@given(st.integers(0, 2**32))
@settings(max_examples=1000)
def test_what_is_read_together_is_what_is_read_one_by_one(seed: int) -> None:
    texts = readable(written(seed))
    together = outcomes(texts)
    with patch.object(_core, "cut_vectors", return_value=None):
        assert repr(outcomes(texts)) == repr(together)

"""Messages are told apart before they are read, and bytes that are no message are refused as such."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import InvalidInput
from engram.server.websocket.received import FLOW, INIT, OBSERVATION_BATCH, read_message, unreadable
from engram.streaming.sessions.flow_control import FlowAction
from engram.wire.frames import encode_frame
from tests.unit.wire.test_frames import CORPUS, FOLDER


def read_text(value: Any) -> Any:
    return read_message(json.dumps(value).encode(), is_frame=False)


@pytest.mark.parametrize("entry", [each for each in CORPUS if each["verdict"] == "bad"], ids=lambda each: each["name"])
def test_bad_frames_are_no_messages(entry: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_message((FOLDER / entry["file"]).read_bytes(), is_frame=True)
    assert caught.value.code in ("malformed_message", "no_operation")


@given(st.binary(max_size=100) | st.text().map(str.encode), st.booleans())
def test_any_bytes_are_a_message_or_refused(data: bytes, is_frame: bool) -> None:
    with contextlib.suppress(InvalidInput):
        read_message(data, is_frame)


def test_a_frame_is_its_header_and_its_arrays() -> None:
    frame = encode_frame(
        {"type": "observation_batch", "sequence_number": 3, "ids": ["a"]}, {"vectors": np.ones((1, 2))}
    )
    message = read_message(frame, is_frame=True)
    assert (message.type, message.nbytes, message.rejected_range()) == ("observation_batch", len(frame), (3, 1))
    assert message.arrays is not None
    assert message.arrays["vectors"].shape == (1, 2)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"type": "observation", "sequence_number": 7}, (7, 1)),
        ({"sequence_number": 7, "type": "observation"}, (7, 1)),
        ({"type": "observation_batch", "sequence_number": 7, "ids": [1, None, "c"]}, (7, 3)),
        ({"type": "observation_batch", "sequence_number": 7, "ids": []}, (7, 1)),
        ({"type": "observation_batch", "sequence_number": 7}, (7, 1)),
        ({"type": "observation_batch", "sequence_number": 7, "ids": [0] * 20_000}, (7, 10_000)),
        ({"type": "observation_batch", "sequence_number": 7, "ids": "a"}, (7, 1)),
        ({"type": "observation", "sequence_number": "7"}, None),
        ({"type": "observation", "sequence_number": True}, None),
        ({"type": "observation"}, None),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_numbers_if_it_has_any(value: Any, wanted: Any) -> None:
    assert read_text(value).rejected_range() == wanted


def test_a_type_that_is_none_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="'recall'") as caught:
        read_text({"type": "recal"})
    assert (caught.value.code, caught.value.field) == ("no_operation", "type")
    assert "observation_batch" in caught.value.limit


@pytest.mark.parametrize(
    ("text", "kind", "id", "wanted"),
    [
        (b'{"type":"observation","sequence_number":7,"id":"a","vector":[NaN]}', "observation", "a", (7, 1)),
        (b'{"type":"observation_batch","sequence_number":7,"ids":["a","b"],"x":', "observation_batch", None, (7, 2)),
        (b'{"type":"observation_batch","sequence_number":7,"ids":["a","b', "observation_batch", None, (7, 1)),
        (b'{"type":"recall","id":3,', "recall", 3, None),
        (b'{"type":3,"id":4', "", 4, None),
        (b"{", "", None, None),
    ],
)
def test_what_can_be_told_of_what_cannot_be_read(text: bytes, kind: str, id: Any, wanted: Any) -> None:
    for data, is_frame in ((text, False), (len(text).to_bytes(4, "little") + text + bytes(8), True)):
        message = unreadable(data, is_frame)
        assert (message.type, message.envelope.id, message.rejected_range()) == (kind, id, wanted)
    assert unreadable(text, is_frame=True).type == ""


def test_a_claim_is_that_of_the_writer() -> None:
    def claim(**fields: Any) -> Any:
        return INIT.read(json.dumps({"type": "init", **fields}).encode()).claim()

    made = claim(writer=2**64 - 1, known_sequence=0, incarnation="x")
    assert (made.writer, made.known_sequence, made.incarnation) == (2**64 - 1, 0, "x")
    new = claim(known_sequence=5)
    assert new.writer > 0
    assert new.known_sequence is None
    for fields in ({"writer": 2**64}, {"writer": -1}, {"writer": 1, "known_sequence": -1}):
        with pytest.raises(InvalidInput) as caught:
            claim(**fields)
        assert caught.value.code == "out_of_range"


@pytest.mark.parametrize("action", [action for action in FlowAction if action is not FlowAction.NONE])
def test_every_action_can_be_asked_for(action: FlowAction) -> None:
    text = json.dumps({"type": "flow_control", "action": action.value, "buffer_remaining": 3}).encode()
    flow = FLOW.read(text).flow()
    assert (flow.action, flow.buffer_remaining, flow.preferred_rate) == (action, 3, 0.0)


def test_a_text_that_is_too_large_is_told_from_others_and_explained_only_if_it_is_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engram.wire.forms.strict_json.JSON_BYTES_MAX", 100)
    batch = {"type": "observation_batch", "sequence_number": 7, "ids": ["a"], "confidences": [0.5] * 100}
    with pytest.raises(InvalidInput) as caught:
        read_text(batch)
    assert caught.value.code == "json_bytes"
    message = unreadable(json.dumps(batch).encode(), is_frame=False)
    assert (message.type, message.rejected_range()) == ("observation_batch", (7, 1))
    with pytest.raises(InvalidInput) as caught:
        OBSERVATION_BATCH.read(message.text)
    assert caught.value.code == "json_bytes"
    with pytest.raises(InvalidInput) as caught:
        read_message(b"x" * 101, is_frame=False)
    assert caught.value.code == "json_bytes"
    with pytest.raises(InvalidInput) as caught:
        read_message(b"x" * 100, is_frame=False)
    assert caught.value.code == "malformed_message"

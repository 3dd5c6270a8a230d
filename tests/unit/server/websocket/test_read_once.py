"""Messages as clients send them are read by one reader, and only once."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pytest

from engram.model.cue import Cue
from engram.model.observations import ObservationBatch, fill_batch
from engram.model.operations.operation import Request
from engram.model.operations.requests import Get, Observe, Recall, StreamRecall
from engram.model.priority import Priority
from engram.model.query import RecallQuery
from engram.server.websocket.received import OBSERVATION_BATCH, read_message
from engram.server.websocket.socket_calls import _READERS
from engram.wire.forms import reader
from engram.wire.forms.sent_requests import OPERATION_OF, encode_batch, encode_request
from tests.unit.wire.operations.test_table import REQUESTS

MORE: list[Request[Any]] = [
    Recall("space", RecallQuery(Cue(vector=[1.0, 2.0], text="a: b", by="both"), k=3)),
    StreamRecall("space", RecallQuery(Cue(text="words: many", by="words"))),
    Get("space", ["id:1", "id:2"]),
    Observe("space", fill_batch(["id:1"], np.ones((1, 4), np.float32), {"contents": ["a: b"]}), Priority.NORMAL),
]


def _name(request: object) -> str:
    return type(request).__name__ if not isinstance(request, dict) else "traced" if request else "plain"


@pytest.fixture(autouse=True)
def no_second_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if the slow reader, which looks for keys that occur twice, is asked."""

    def refuse(text: bytes, what: str) -> dict[str, Any]:
        raise AssertionError(f"{what} is read a second time: {text[:200]!r}")

    monkeypatch.setattr(reader, "parse_object", refuse)


def batch() -> ObservationBatch:
    columns = {"contents": ["a: b", "c"], "metadata": ['{"k": "v: w"}', ""], "tags": [["x:y"], []]}
    return fill_batch(["id:1", "id:2"], np.ones((2, 4), np.float32), columns)


def test_a_batch_of_a_session_is_read_once() -> None:
    message = read_message(bytes(encode_batch(batch(), Priority.HIGH)), is_frame=True)
    form: Any = OBSERVATION_BATCH.read(message.text, is_header=True)
    assert form.ids == ["id:1", "id:2"]


@pytest.mark.parametrize("traceparent", [{}, {"traceparent": "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"}], ids=_name)
@pytest.mark.parametrize("request_", [*chain(*REQUESTS.values()), *MORE], ids=_name)
def test_a_call_is_read_once(request_: Request[Any], traceparent: dict[str, str]) -> None:
    operation = OPERATION_OF[type(request_)]
    beside = {"type": operation.name, "id": 7, "binary": True, **traceparent}
    data, is_frame = encode_request(request_, beside)
    message = read_message(data, is_frame)
    read: Any = _READERS[operation.name].read(message.text, "space", message.arrays)
    assert type(read) is type(request_)

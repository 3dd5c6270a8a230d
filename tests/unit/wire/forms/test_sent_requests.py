"""What a client sends is what a server reads: requests and batches, in JSON and in frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.cue import Between, Cue, Filter
from engram.model.many.many_query import many_query
from engram.model.observations import ObservationBatch, make_batch
from engram.model.operations.operation import Request
from engram.model.operations.requests import Delete, Observe, Recall, RecallMany, StreamRecall
from engram.model.operations.table import OPERATIONS
from engram.model.priority import Priority
from engram.model.query import RecallQuery
from engram.model.strength import Strength
from engram.server.websocket.received import OBSERVATION_BATCH, read_message
from engram.server.websocket.socket_calls import _READERS
from engram.tracing import stop_opentelemetry, use_opentelemetry
from engram.wire.forms import sent_requests
from engram.wire.forms.observations import batch_of_columns, priority_of
from engram.wire.forms.sent_requests import OPERATION_OF, encode_batch, encode_request, number_batch
from tests.unit.wire.operations.test_table import REQUESTS, plain

EVERYTHING = Filter(
    since="1970-01-01T00:00:01.250000Z",
    until="2026-11-28T12:00:00.000001Z",
    tags={"x", "y"},
    without_tags={"z"},
    metadata={"n": Between(1, 2.5), "low": Between(None, 3), "text": "t", "yes": True, "none": None, "real": 1.0},
    confidence_min=0.5,
)
MORE: list[Request[Any]] = [
    Recall("notes", RecallQuery(Cue(np.arange(3), filter=EVERYTHING, score_min=-1.5), k=3)),
    Recall("notes", RecallQuery(Cue(text='pumps "\u2028\x00', by="both"))),
    RecallMany("notes", many_query([Cue([1.0], filter=EVERYTHING), "pumps"], 3, EVERYTHING, ef=7)),
    Recall("notes", RecallQuery(Cue(), strength=Strength(60.0, "power", reinforce=False))),
    StreamRecall("notes", RecallQuery(Cue([1.0], score_min=0.5), follow=True, batch_size=1, timeout_ms=7)),
]


def numbered(batch: ObservationBatch, priority: Priority, sequence: int) -> bytes:
    frame = encode_batch(batch, priority)
    number_batch(frame, 77)
    number_batch(frame, sequence)
    return bytes(frame)


def sent(request: Request[Any]) -> Any:
    """The request as a server reads it."""
    operation = OPERATION_OF[type(request)]
    message = read_message(*encode_request(request, {"type": operation.name, "id": 7, "binary": True}))
    assert (message.type, message.call_id) == (operation.name, 7)
    return _READERS[operation.name].read(message.text, message.envelope.space or "", message.arrays)


def test_every_operation_can_be_sent() -> None:
    assert set(REQUESTS) == set(OPERATIONS) == {each.name for each in OPERATION_OF.values()}


@pytest.mark.parametrize("request_", [*(one for them in REQUESTS.values() for one in them), *MORE])
def test_a_request_arrives(request_: Request[Any]) -> None:
    arrived = sent(request_)
    assert type(arrived) is type(request_)
    assert plain(arrived) == plain(request_)


def test_what_only_applies_to_streams_is_not_sent_without_one() -> None:
    query = RecallQuery(Cue([1.0]), batch_size=3, timeout_ms=5)
    arrived = sent(Recall("notes", query)).query
    assert (arrived.k, arrived.batch_size, arrived.timeout_ms) == (query.k, RecallQuery(Cue([1.0])).batch_size, None)


BATCHES = [
    make_batch(["a"], np.ones((1, 3))),
    make_batch(["a", "b"], np.empty((2, 0)), ["one", ""]),
    make_batch(
        ["a", "bé\u2028"],
        np.arange(6).reshape(2, 3),
        ["", "two\n\x00"],
        timestamps=[1.5, -7],
        confidences=[1, 0.5],
        importances=[0.5, 0.25],
        metadata=[None, '{"b" : [1, {"ü": null}]}'],
        tags=[[], ["x", "y"]],
    ),
]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("priority", Priority)
@pytest.mark.parametrize("sequence", [1, 2**63 - 1])
def test_a_batch_of_a_session_arrives(batch: ObservationBatch, priority: Priority, sequence: int) -> None:
    frame = numbered(batch, priority, sequence)
    message = read_message(frame, True)
    assert message.type == "observation_batch"
    form: Any = OBSERVATION_BATCH.read(message.text)
    assert (form.sequence_number, priority_of(form)) == (sequence, priority)
    assert plain(batch_of_columns(form, message.arrays or {})) == plain(batch)


def test_a_batch_holds_a_copy() -> None:
    vectors = np.ones((1, 3), np.float32)
    batch = make_batch(["a"], vectors)
    frame = encode_batch(batch, Priority.NORMAL)
    batch.vectors[:] = 2
    message = read_message(bytes(frame), True)
    assert (message.arrays or {})["vectors"].tolist() == [[1, 1, 1]]


def test_what_is_the_default_is_not_sent() -> None:
    message = read_message(numbered(BATCHES[0], Priority.NORMAL, 1), True)
    assert set(json.loads(message.text)) == {"type", "sequence_number", "ids", "arrays"}
    assert set(message.arrays or {}) == {"vectors", "timestamps"}


def test_what_is_too_large_for_a_text_goes_as_a_frame() -> None:
    for ids, is_frame in ((["a" * 500] * 100, False), (["a" * 500] * 9_000, True)):
        request = Delete("notes", ids)
        assert encode_request(request, {})[1] is is_frame
        assert list(sent(request).ids) == ids


def test_what_is_too_large_for_a_message_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_requests, "MESSAGE_BYTES_MAX", 200)
    with pytest.raises(InvalidInput) as refusal:
        encode_batch(make_batch(["a"], np.ones((1, 100))), Priority.NORMAL)
    assert (refusal.value.code, refusal.value.field, refusal.value.limit) == ("batch_bytes", "batch", "200")
    for request in (Delete("notes", ["x" * 300]), Observe("notes", make_batch(["a"], np.ones((1, 100))))):
        with pytest.raises(InvalidInput) as refusal:
            encode_request(request, {})
        assert (refusal.value.code, refusal.value.field) == ("message_bytes", "message")


def test_what_is_larger_than_a_text_may_be_is_sent_as_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_requests, "JSON_BYTES_MAX", 200)
    small, large = Delete("notes", ["a"]), Delete("notes", ["a" * 100, "b" * 100])
    assert [encode_request(each, {"type": "delete", "id": 7})[1] for each in (small, large)] == [False, True]
    assert plain(sent(large)) == plain(large)


TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def tracing() -> Iterator[None]:
    pytest.importorskip("opentelemetry.trace", reason="the package opentelemetry-api is not installed")
    use_opentelemetry()
    yield
    stop_opentelemetry()


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.usefixtures("tracing")
def test_a_batch_names_its_span_where_the_server_takes_it(batch: ObservationBatch) -> None:
    frame = encode_batch(batch, Priority.LOW)
    # Sent again, over a new connection, to servers that take spans and to others.
    for sequence, traceparent in ((7, TRACEPARENT), (2**63 - 1, ""), (1, TRACEPARENT)):
        number_batch(frame, sequence, traceparent)
        message = read_message(bytes(frame), True)
        form: Any = OBSERVATION_BATCH.read(message.text)
        assert (form.sequence_number, form.traceparent or "") == (sequence, traceparent)
        assert ("traceparent" in json.loads(message.text)) is bool(traceparent)
        assert plain(batch_of_columns(form, message.arrays or {})) == plain(batch)


def test_a_batch_that_was_encoded_before_tracing_names_no_span() -> None:
    frame = encode_batch(BATCHES[0], Priority.NORMAL)
    before = len(frame)
    number_batch(frame, 1, TRACEPARENT)
    assert len(frame) == before
    assert "traceparent" not in json.loads(read_message(bytes(frame), True).text)

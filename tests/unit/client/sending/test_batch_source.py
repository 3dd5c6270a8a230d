"""What is taken from the buffer is encoded, and whatever becomes of it, its callers hear and its room is freed."""

from __future__ import annotations

import numpy as np

from engram.client.sending.batch_source import BatchSource
from engram.client.sending.outgoing_batch import Answer, OutgoingBatch
from engram.client.sending.send_buffer import OutboxLimits, SendBuffer
from engram.errors import EngramError, InvalidInput, Unavailable
from engram.model.ack import Ack
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig
from engram.tracing.switch import present_recorder
from tests.doubles.batches import row_of
from tests.doubles.spans import attributes_of, id_of, parent_of, recorded_spans

CONFIG = SpaceConfig("test", dim=8)


class Source:
    """A buffer and its source, and the answers of all rows that were added."""

    def __init__(self) -> None:
        self.outbox = SendBuffer(OutboxLimits(batch_count=10), lambda: None, lambda: 0.0)
        self.batches = BatchSource(self.outbox, CONFIG, lambda batch: batch)
        self.answers: list[Answer] = []

    def add(self, id: str, number: float = 1.0) -> None:
        row = row_of(CONFIG, id, np.full(8, number), "text")
        assert self.outbox.try_add_row(row, self.answers.append)


def test_rows_leave_as_one_encoded_batch_and_each_is_answered() -> None:
    source = Source()
    source.add("a")
    source.add("b")
    outgoing = source.batches.take()
    assert outgoing is not None
    assert isinstance(outgoing.payload, ObservationBatch)
    assert list(outgoing.payload.ids) == ["a", "b"]
    source.batches.settle(outgoing, Ack(1, 2, 1, 2))
    assert [answer.first_sequence for answer in source.answers if isinstance(answer, Ack)] == [1, 2]
    assert (source.outbox.count, source.outbox.nbytes) == (0, 0)


def test_what_is_refused_alone_leaves_nothing_to_send_and_frees_its_room() -> None:
    source = Source()
    source.add("bad", np.nan)
    assert source.batches.take() is None
    assert [type(answer) for answer in source.answers] == [InvalidInput]
    assert (source.outbox.count, source.outbox.nbytes) == (0, 0)
    assert source.outbox.flushed().done()


def test_what_was_never_taken_fails_with_the_stream() -> None:
    source, whole = Source(), list[Answer]()
    source.add("a")
    assert source.outbox.try_add_batch(OutgoingBatch(payload=None, count=3, nbytes=9, settle=whole.append))
    error = Unavailable("the server is gone")
    source.batches.fail(error)
    assert [str(answer) for answer in source.answers] == ["the server is gone"]
    assert whole == [error]
    assert source.outbox.count == 0
    losses = source.outbox.take_losses()
    assert (losses.count, losses.error) == (4, error)
    assert isinstance(losses.error, EngramError)


def test_a_batch_has_one_span_from_its_caller_to_its_answer() -> None:
    source = Source()
    source.add("untraced")
    with recorded_spans() as spans:
        source.add("a")
        # The batch was begun before.
        untraced = source.batches.take()
        assert untraced is not None
        assert (untraced.span, untraced.traceparent) == (None, "")
        recorder = present_recorder()
        assert recorder is not None
        with recorder.here("the program").current():
            source.add("id-b")
            source.add("c")
        source.add("d")
        outgoing = source.batches.take()
        assert outgoing is not None
        # Sent, and sent again: it is the same span.
        assert outgoing.traceparent == outgoing.traceparent != ""
        source.batches.settle(untraced, Ack(1, 1, 1, 1))
        source.batches.settle(outgoing, Ack(2, 4, 2, 4))
        program, submit = spans.all
    assert parent_of(submit) == id_of(program)
    assert attributes_of(submit) == {
        "engram.space": "test",
        "engram.count": 3,
        "engram.first_generation": 2,
        "engram.last_generation": 4,
    }
    assert "id-b" not in submit.to_json()


def test_a_refused_batch_and_one_whose_observations_are_all_refused_end_nothing_twice() -> None:
    source = Source()
    with recorded_spans() as spans:
        source.add("bad", np.nan)
        assert source.batches.take() is None
        source.add("a")
        outgoing = source.batches.take()
        assert outgoing is not None
        source.add("never taken")
        source.batches.settle(outgoing, Unavailable("the server is gone", code="no_server"))
        source.batches.fail(Unavailable("the server is gone"))
        (submit,) = spans.all
    assert attributes_of(submit)["error.type"] == "no_server"

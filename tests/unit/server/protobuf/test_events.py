"""Events of a connection to responses."""

from __future__ import annotations

import pytest

from engram.errors import OverCapacity, SequenceError
from engram.server.protobuf.events import encode_event
from engram.streaming.pressure.levels import Level
from engram.streaming.pressure.load_shedding import SpaceLoad
from engram.streaming.sessions.acks import AckStatus, SessionAck
from engram.streaming.sessions.outbox import Opened, StateChange, StreamState
from engram.wire import engram_pb2 as pb


def load() -> SpaceLoad:
    return SpaceLoad(queue_depth=40, queue_capacity=160_000, pressure=0.96, level=Level.OVERLOADED)


def test_an_accepted_ack() -> None:
    response = encode_event(SessionAck(AckStatus.ACCEPTED, 3, 9, 30, 36, "id-9"), "s", load)
    assert (response.session_id, response.sequence_number) == ("s", 9)
    assert response.HasField("server_timestamp")
    ack = response.ack
    assert ack.status == pb.ObservationAck.STATUS_ACCEPTED
    assert (ack.first_sequence, ack.last_sequence) == (3, 9)
    assert (ack.first_generation, ack.last_generation, ack.memory_id) == (30, 36, "id-9")
    assert ack.HasField("committed_at")
    assert not ack.HasField("error")


def test_an_indexed_ack_has_no_commit_time() -> None:
    ack = encode_event(SessionAck(AckStatus.INDEXED, 1, 9, 1, 9), "s", load).ack
    assert ack.status == pb.ObservationAck.STATUS_INDEXED
    assert not ack.HasField("committed_at")


def test_a_rejection_names_its_own_sequence() -> None:
    error = SequenceError("gap", expected_sequence=4)
    response = encode_event(SessionAck(AckStatus.REJECTED, 7, 9, error=error), "s", load)
    assert response.sequence_number == 7
    assert response.ack.status == pb.ObservationAck.STATUS_REJECTED
    assert (response.ack.error.code, response.ack.error.expected_sequence) == ("sequence_gap", 4)


def test_an_opening_tells_the_truth_about_the_server() -> None:
    response = encode_event(Opened("s", 41, 768, 100, "after the restore"), "s", load)
    opened = response.init_ack
    assert response.init_ack.incarnation == "after the restore"
    assert (opened.session_id, opened.initial_sequence, opened.dimension, opened.generation) == ("s", 41, 768, 100)
    assert opened.capabilities.queue_capacity == 160_000
    assert opened.capabilities.batch_count_max == 10_000
    assert response.sequence_number == 41


def test_every_state_has_its_number() -> None:
    numbers = {state: encode_event(StateChange(state, "m", 5), "s", load).status.state for state in StreamState}
    assert {name: pb.StreamStatus.State.Name(number) for name, number in numbers.items()} == {
        state: f"STATE_{state.name}" for state in StreamState
    }


def test_a_status_reports_the_queue() -> None:
    error = OverCapacity("full", code="overloaded", field="tail_observations", limit=100, value=96, retry_after_ms=70)
    status = encode_event(StateChange(StreamState.OVERLOADED, "full", error=error), "s", load).status
    assert (status.queue_depth, status.queue_capacity, status.level) == (40, 160_000, pb.PRESSURE_LEVEL_OVERLOADED)
    assert status.pressure == pytest.approx(0.96)
    detail = status.error
    assert (detail.field, detail.limit, detail.value, detail.retry_after_ms) == ("tail_observations", "100", "96", 70)

"""One session: strict sequences, duplicates, and what happens behind a failure."""

from __future__ import annotations

import pytest

from engram.errors import FailedPrecondition, InvalidInput, SequenceError, Unavailable
from engram.store.commit.queue import CommitResult
from engram.streaming.counters import Counters
from engram.streaming.sessions.acks import AckStatus, SessionAck
from engram.streaming.sessions.outbox import SessionOutbox
from engram.streaming.sessions.session import InFlight, SequenceVerdict, Session
from engram.streaming.sessions.states import MOVES, SessionState
from tests.doubles.fake_space import ManualClock


def make_session(durable_sequence: int = 0, generation: int = 0) -> tuple[Session, list[SessionAck]]:
    session = Session(
        "default",
        "s",
        durable_sequence=durable_sequence,
        generation=generation,
        counters=Counters(),
        clock=ManualClock(),
    )
    session.move(SessionState.ACTIVE)
    acks: list[SessionAck] = []

    class Recorder(SessionOutbox):
        def put(self, event: object) -> None:
            assert isinstance(event, SessionAck)
            acks.append(event)

    session.outbox = Recorder()
    return session, acks


def send(session: Session, first: int, count: int = 1) -> InFlight:
    assert session.offer(first, count) is SequenceVerdict.NEW
    message = InFlight(first, first + count - 1, 100 * count)
    session.admit(message)
    return message


def accepted(session: Session, message: InFlight, generation: int) -> None:
    session.settle(message, CommitResult(generation, generation + message.count - 1, message.count))


def test_the_first_sequence_is_one() -> None:
    session, _ = make_session()
    assert session.expected_sequence == 1
    for first in (0, 2):
        with pytest.raises(SequenceError) as caught:
            session.offer(first, 1)
        assert caught.value.expected_sequence == 1


def test_messages_are_pipelined_without_gaps() -> None:
    session, _ = make_session()
    send(session, 1, 10)
    send(session, 11, 5)
    assert session.expected_sequence == 16
    assert (session.in_flight_count, session.in_flight_bytes) == (15, 1500)
    assert session.durable_sequence == 0


def test_a_gap_names_the_expected_number() -> None:
    session, _ = make_session()
    send(session, 1, 10)
    with pytest.raises(SequenceError) as caught:
        session.offer(12, 1)
    assert (caught.value.code, caught.value.expected_sequence) == ("sequence_gap", 11)


def test_a_message_that_is_new_only_at_its_end_is_admitted() -> None:
    session, acks = make_session()
    first = send(session, 1, 10)
    second = send(session, 6, 10)
    assert session.expected_sequence == 16
    accepted(session, first, 1)
    assert session.expected_sequence == 16
    session.settle(second, CommitResult(6, 25, 5))
    assert (session.durable_sequence, session.expected_sequence, session.settled) == (15, 16, True)
    session.repeat(1, 15)
    assert acks[-1] == SessionAck(AckStatus.ACCEPTED, 1, 15, 1, 25)


def test_acceptance_moves_the_durable_sequence_and_acks() -> None:
    session, acks = make_session()
    accepted(session, send(session, 1, 10), generation=71)
    assert session.durable_sequence == 10
    assert session.settled
    assert acks == [SessionAck(AckStatus.ACCEPTED, 1, 10, 71, 80)]


def test_a_durable_duplicate_is_answered_with_the_original_generations() -> None:
    session, acks = make_session()
    accepted(session, send(session, 1, 10), generation=71)
    accepted(session, send(session, 11, 10), generation=101)
    acks.clear()
    assert session.offer(5, 10) is SequenceVerdict.DURABLE
    session.repeat(5, 14)
    assert acks == [SessionAck(AckStatus.ACCEPTED, 5, 14, 75, 104)]
    assert session.durable_sequence == 20


def test_a_duplicate_from_before_a_restart_is_answered_without_generations() -> None:
    session, acks = make_session(durable_sequence=20)
    assert session.expected_sequence == 21
    assert session.offer(20, 1) is SequenceVerdict.DURABLE
    session.repeat(20, 20)
    assert acks == [SessionAck(AckStatus.ACCEPTED, 20, 20, 0, 0)]


def test_a_duplicate_of_what_is_in_flight_is_recognised() -> None:
    session, _ = make_session()
    send(session, 1, 10)
    assert session.offer(1, 10) is SequenceVerdict.IN_FLIGHT
    assert session.offer(3, 2) is SequenceVerdict.IN_FLIGHT


def test_a_failure_gives_the_number_back_and_dooms_what_follows() -> None:
    session, acks = make_session()
    first, second, third = send(session, 1, 10), send(session, 11, 10), send(session, 21, 10)
    accepted(session, first, 1)
    session.settle(second, Unavailable("the disk is full", code="disk_full"))
    assert session.expected_sequence == 11
    # The client may already send again while the doomed message is still on its way through the store.
    again = send(session, 11, 10)
    session.settle(third, SequenceError("gap", expected_sequence=11))
    assert session.expected_sequence == 21
    accepted(session, again, 11)
    assert session.durable_sequence == 20
    assert [(ack.status, ack.first_sequence, ack.last_sequence) for ack in acks] == [
        (AckStatus.ACCEPTED, 1, 10),
        (AckStatus.REJECTED, 11, 20),
        (AckStatus.REJECTED, 21, 30),
        (AckStatus.ACCEPTED, 11, 20),
    ]
    assert acks[2].error is not None
    assert acks[2].error.expected_sequence == 11
    assert session.settled


def test_failures_answered_out_of_order_roll_back_to_the_earliest() -> None:
    session, _ = make_session()
    first, second = send(session, 1, 10), send(session, 11, 10)
    session.settle(second, Unavailable("no"))
    assert session.expected_sequence == 11
    session.settle(first, Unavailable("no"))
    assert session.expected_sequence == 1


def test_a_rejection_before_admission_consumes_nothing() -> None:
    session, acks = make_session()
    session.reject(1, 3, InvalidInput("zero vector", code="zero_vector"))
    assert session.expected_sequence == 1
    assert (acks[0].status, acks[0].first_sequence, acks[0].last_sequence) == (AckStatus.REJECTED, 1, 3)


def test_indexed_follows_the_watermark_once_and_cumulatively() -> None:
    session, acks = make_session()
    for first in (1, 11, 21):
        accepted(session, send(session, first, 10), generation=first)
    acks.clear()
    session.pass_watermark(9)
    assert acks == []
    session.pass_watermark(25)
    assert acks == [SessionAck(AckStatus.INDEXED, 1, 20, 1, 20)]
    assert not session.indexed
    session.pass_watermark(25)
    session.pass_watermark(30)
    assert acks[1:] == [SessionAck(AckStatus.INDEXED, 21, 30, 21, 30)]
    assert session.indexed


def test_indexed_after_a_restart_covers_what_was_durable() -> None:
    session, acks = make_session(durable_sequence=20, generation=500)
    session.pass_watermark(499)
    assert acks == []
    session.pass_watermark(500)
    assert [(ack.status, ack.last_sequence) for ack in acks] == [(AckStatus.INDEXED, 20)]


def test_without_a_connection_nothing_is_told_and_nothing_forgotten() -> None:
    session, acks = make_session()
    message = send(session, 1, 10)
    session.outbox = None
    accepted(session, message, 1)
    assert acks == []
    assert session.durable_sequence == 10


@pytest.mark.parametrize("current", list(SessionState))
@pytest.mark.parametrize("wanted", list(SessionState))
def test_only_the_listed_moves_are_possible(current: SessionState, wanted: SessionState) -> None:
    session, _ = make_session()
    session.state = current
    if wanted in MOVES[current]:
        session.move(wanted)
        assert session.state is wanted
    else:
        with pytest.raises(FailedPrecondition) as caught:
            session.move(wanted)
        assert caught.value.value == current.value
        assert session.state is current


def test_closed_and_expired_are_final() -> None:
    assert not MOVES[SessionState.CLOSED]
    assert not MOVES[SessionState.EXPIRED]

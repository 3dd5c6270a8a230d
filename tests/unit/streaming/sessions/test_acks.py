"""Acks: what is remembered stays bounded and true."""

from __future__ import annotations

from engram.streaming.sessions.acks import AckHistory, AckStatus, SessionAck, Unindexed


def accepted(first: int, last: int, generation: int) -> SessionAck:
    return SessionAck(AckStatus.ACCEPTED, first, last, generation, generation + last - first)


def test_history_forgets_the_oldest_generations_only() -> None:
    history = AckHistory()
    for sequence in range(1, 1001):
        history.add(sequence, 10 * sequence, 1)
    assert history.repeat(1000, 1000).first_generation == 10_000
    forgotten = history.repeat(1, 1000)
    assert (forgotten.first_generation, forgotten.last_generation) == (0, 10_000)


def test_unindexed_keeps_every_sequence_however_many_acks_come() -> None:
    unindexed = Unindexed()
    count = 20_000
    for sequence in range(1, count + 1):
        unindexed.add(accepted(sequence, sequence, 2 * sequence))
    assert len(unindexed) <= 1024
    covered = 0
    for generation in range(0, 2 * count + 1, 1000):
        ack = unindexed.pass_watermark(generation)
        if ack is not None:
            assert ack.first_sequence == covered + 1
            assert ack.last_generation <= generation
            covered = ack.last_sequence
    assert covered == count
    assert len(unindexed) == 0


def test_an_ack_absorbs_only_its_successor() -> None:
    ack = accepted(1, 5, 1)
    assert not ack.absorb(accepted(7, 8, 7))
    assert not ack.absorb(SessionAck(AckStatus.INDEXED, 6, 8, 6, 8))
    assert ack.absorb(accepted(6, 8, 6))
    assert ack == accepted(1, 8, 1)
    rejected = SessionAck(AckStatus.REJECTED, 1, 1)
    assert not rejected.absorb(SessionAck(AckStatus.REJECTED, 2, 2))

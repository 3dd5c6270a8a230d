"""Messages on a connection: each is acked or rejected, in order, and none goes before its init."""

from __future__ import annotations

import numpy as np
import pytest

from engram.errors import FailedPrecondition, Unavailable
from engram.metrics import table
from engram.metrics.samples import MetricSamples
from engram.model.observations import with_vectors
from engram.model.priority import Priority
from engram.streaming.sessions.acks import AckStatus
from engram.streaming.sessions.outbox import Opened, StateChange, StreamState
from engram.streaming.sessions.paused_backlog import Message
from tests.doubles.conversation import PAUSE, acks, answers, events, message
from tests.doubles.streaming_world import World, running_world

world = pytest.fixture(running_world)


async def test_observations_are_acked_once_they_are_committed(world: World) -> None:
    connection = await world.open()
    assert isinstance((await events(connection))[0], Opened)
    await connection.observe(message(1, 10))
    await connection.observe(message(11))
    world.store.commit_all()
    assert await acks(connection) == [("accepted", 1, 11)]
    assert world.space.stored == [f"id-{i}" for i in range(1, 12)]
    name = world.space.config.name
    counted = MetricSamples(world.counters.observations.samples(name))
    assert counted.value(table.OBSERVATIONS, memory_space=name, priority="normal") == 11
    assert counted.value(table.OBSERVATIONS) == 11


async def test_nothing_goes_before_init(world: World) -> None:
    connection = world.connect()
    for call in (
        connection.observe(message(1)),
        connection.flow(PAUSE),
        connection.close(drain=True),
    ):
        with pytest.raises(FailedPrecondition) as caught:
            await call
        assert caught.value.code == "no_init"


async def test_a_second_init_is_refused(world: World) -> None:
    connection = await world.open()
    with pytest.raises(FailedPrecondition):
        await connection.open(world.space, "other")


async def test_a_gap_is_rejected_in_band_and_consumes_nothing(world: World) -> None:
    connection = await world.open()
    await connection.observe(message(1))
    await connection.observe(message(3))
    await connection.observe(message(2))
    world.store.commit_all()
    refusal, acceptance = await answers(connection)
    assert (refusal.status, refusal.first_sequence) == (AckStatus.REJECTED, 3)
    assert refusal.error is not None
    assert refusal.error.expected_sequence == 2
    assert (acceptance.status, acceptance.last_sequence) == (AckStatus.ACCEPTED, 2)


async def test_a_bad_batch_is_rejected_whole_and_what_follows_too(world: World) -> None:
    connection = await world.open()
    bad = message(1, 3)
    vectors = bad.batch.vectors.copy()
    vectors[1] = np.nan
    await connection.observe(Message(1, with_vectors(bad.batch, vectors), Priority.NORMAL))
    await connection.observe(message(4, 3))
    await connection.observe(message(1, 3))
    world.store.commit_all()
    told = await answers(connection)
    assert [(ack.status.value, ack.first_sequence, ack.error and ack.error.code) for ack in told] == [
        ("rejected", 1, "not_finite"),
        ("rejected", 4, "sequence_gap"),
        ("accepted", 1, None),
    ]
    assert world.space.stored == ["id-1", "id-2", "id-3"]
    counted = MetricSamples(world.counters.observations.samples(world.space.config.name))
    assert counted.value(table.OBSERVATIONS_REJECTED, reason="not_finite") == 3
    assert counted.value(table.OBSERVATIONS_REJECTED, reason="sequence_gap") == 3
    assert counted.value(table.OBSERVATIONS_REJECTED) == 6


async def test_of_messages_that_were_joined_only_the_bad_one_is_to_blame(world: World) -> None:
    connection = await world.open()
    bad = message(1, 4)
    vectors = bad.batch.vectors.copy()
    vectors[2] = np.nan
    await connection.observe(Message(1, with_vectors(bad.batch, vectors), Priority.NORMAL, are_joined=True))
    world.store.commit_all()
    told = await answers(connection)
    assert [
        (ack.status.value, ack.first_sequence, ack.last_sequence, ack.error and ack.error.code) for ack in told
    ] == [
        ("rejected", 3, 3, "not_finite"),
        ("rejected", 4, 4, "sequence_gap"),
        ("accepted", 1, 2, None),
    ]
    assert world.space.stored == ["id-1", "id-2"]


async def test_messages_that_were_joined_leave_a_gap_together(world: World) -> None:
    connection = await world.open()
    joined = message(3, 2)
    await connection.observe(Message(3, joined.batch, Priority.NORMAL, are_joined=True))
    (told,) = await answers(connection)
    assert (told.status, told.first_sequence, told.last_sequence) == (AckStatus.REJECTED, 3, 4)


async def test_a_failed_commit_rejects_what_was_queued_behind_it(world: World) -> None:
    connection = await world.open()
    world.space.fail_next = Unavailable("the disk is full", code="disk_full")
    for first in (1, 11, 21):
        await connection.observe(message(first, 10))
    world.store.commit_all()
    told = await answers(connection)
    assert [(ack.first_sequence, ack.error and ack.error.code) for ack in told] == [
        (1, "disk_full"),
        (11, "sequence_gap"),
        (21, "sequence_gap"),
    ]
    assert [ack.error and ack.error.expected_sequence for ack in told] == [None, 1, 1]
    for first in (1, 11, 21):
        await connection.observe(message(first, 10))
    world.store.commit_all()
    assert await acks(connection) == [("accepted", 1, 30)]
    assert world.space.stored == [f"id-{i}" for i in range(1, 31)]


async def test_a_duplicate_is_acked_again_and_not_stored_again(world: World) -> None:
    connection = await world.open()
    await connection.observe(message(1, 5))
    await connection.observe(message(1, 5))  # Still in flight: the ack of the first is the answer.
    world.store.commit_all()
    assert await acks(connection) == [("accepted", 1, 5)]
    await connection.observe(message(1, 5))
    assert await acks(connection) == [("accepted", 1, 5)]
    assert len(world.space.stored) == 5


async def test_an_error_without_sequence_is_a_status(world: World) -> None:
    connection = await world.open()
    connection.complain(FailedPrecondition("what was that?", code="malformed_message"))
    told = (await events(connection))[-1]
    assert isinstance(told, StateChange)
    assert told.state is StreamState.ERROR


async def test_mixed_priorities_of_a_session_commit_in_order(world: World) -> None:
    connection = await world.open()
    for sequence, priority in enumerate((Priority.LOW, Priority.HIGH, Priority.NORMAL, Priority.HIGH), 1):
        await connection.observe(message(sequence, priority=priority))
    world.store.commit_all()
    assert await acks(connection) == [("accepted", 1, 4)]

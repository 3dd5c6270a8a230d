"""A connection from its first message to its last, over a store that commits when told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from doubles.batches import batch_of
from doubles.fake_space import FakeSpace, FakeStore, ManualClock
from engram.errors import FailedPrecondition, OverCapacity, Unavailable
from engram.observations import ObservationBatch, with_vectors
from engram.store.intake import Priority
from engram.streaming.acks import Ack, AckStatus
from engram.streaming.admission import Admission
from engram.streaming.backlog import Message
from engram.streaming.connection import Connection, ConnectionLimits
from engram.streaming.counters import Counters
from engram.streaming.flow import Flow, FlowAction
from engram.streaming.ingest import Ingest
from engram.streaming.lane import LaneLimits
from engram.streaming.lanes import Lanes
from engram.streaming.mailbox import Mailbox
from engram.streaming.outbox import Event, Opened, Status, StreamState
from engram.streaming.pressure import Thresholds
from engram.streaming.sessions import Sessions
from engram.streaming.states import SessionState

MIB = 1024 * 1024
PAUSE = Flow(FlowAction.PAUSE)
RESUME = Flow(FlowAction.RESUME)


@dataclass
class World:
    """One space, one store and the objects between them and a connection."""

    executor: ThreadPoolExecutor
    limits: ConnectionLimits = field(default_factory=lambda: ConnectionLimits(100, MIB, 30.0))
    paused_bytes_max: int = 10 * MIB

    def __post_init__(self) -> None:
        self.space: Any = FakeSpace()
        self.lanes = Lanes(dict.fromkeys(Priority, LaneLimits(200, 10 * MIB)))
        store: Any = FakeStore(self.lanes)
        self.store = store
        self.counters = Counters()
        loop = asyncio.get_running_loop()
        mailbox = Mailbox(loop)
        self.sessions = Sessions(
            mailbox=mailbox, counters=self.counters, paused_bytes_max=self.paused_bytes_max, clock=ManualClock()
        )
        self.admission = Admission(
            lanes=self.lanes,
            ticked=(),
            thresholds=Thresholds(),
            mailbox=mailbox,
            soon=loop.call_soon,
            tell=self.sessions.tell_pressure,
        )
        self.ingest = Ingest(self.store, mailbox, self.admission, self.executor)

    def connect(self) -> Connection:
        return Connection(self.ingest, self.sessions, self.limits)

    def open(self, session_id: str = "mine") -> Connection:
        connection = self.connect()
        connection.open(self.space, session_id)
        return connection


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with ThreadPoolExecutor(1) as executor:
        yield World(executor)


def message(first: int, count: int = 1, priority: Priority = Priority.NORMAL) -> Message:
    return Message(first, batch_of([f"id-{first + i}" for i in range(count)]), priority)


async def events(connection: Connection) -> list[Event]:
    return await asyncio.wait_for(connection.outbox.take(), 10)


async def answers(connection: Connection) -> list[Ack]:
    """All acks, once nothing is in flight."""
    session, _ = connection.opened()
    async with asyncio.timeout(10):
        await session.changed.wait_for(lambda: session.settled)
    return [event for event in await events(connection) if isinstance(event, Ack)]


async def states(connection: Connection) -> list[StreamState]:
    """The next statuses, waiting for the first."""
    found: list[StreamState] = []
    while not found:
        found = [event.state for event in await events(connection) if isinstance(event, Status)]
    return found


async def acks(connection: Connection) -> list[tuple[str, int, int]]:
    """The next acks, waiting for the first."""
    found: list[tuple[str, int, int]] = []
    while not found:
        told = await events(connection)
        assert told, "the connection has ended"
        found = [(e.status.value, e.first_sequence, e.last_sequence) for e in told if isinstance(e, Ack)]
    return found


async def test_observations_are_acked_once_they_are_committed(world: World) -> None:
    connection = world.open()
    assert isinstance((await events(connection))[0], Opened)
    await connection.observe(message(1, 10))
    await connection.observe(message(11))
    world.store.commit_all()
    assert await acks(connection) == [("accepted", 1, 11)]
    assert world.space.stored == [f"id-{i}" for i in range(1, 12)]
    assert world.counters.observations_accepted == 11


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
    connection = world.open()
    with pytest.raises(FailedPrecondition):
        connection.open(world.space, "other")


async def test_a_gap_is_rejected_in_band_and_consumes_nothing(world: World) -> None:
    connection = world.open()
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
    connection = world.open()
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
    assert world.counters.observations_rejected == 6


async def test_a_failed_commit_rejects_what_was_queued_behind_it(world: World) -> None:
    connection = world.open()
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
    connection = world.open()
    await connection.observe(message(1, 5))
    await connection.observe(message(1, 5))  # Still in flight: the ack of the first is the answer.
    world.store.commit_all()
    assert await acks(connection) == [("accepted", 1, 5)]
    await connection.observe(message(1, 5))
    assert await acks(connection) == [("accepted", 1, 5)]
    assert len(world.space.stored) == 5


async def test_a_full_lane_rejects_and_says_when_to_come_back(world: World) -> None:
    world.limits = ConnectionLimits(1000, 10 * MIB, 30.0)
    connection = world.open()
    await connection.observe(message(1, 150))
    await connection.observe(message(151, 60))
    told = [event for event in await events(connection) if isinstance(event, Ack)]
    assert [(ack.first_sequence, ack.error and ack.error.code) for ack in told] == [(151, "lane_full")]
    assert told[0].error is not None
    assert told[0].error.retry_after_ms
    world.store.commit_all()
    await connection.observe(message(151, 60))
    world.store.commit_all()
    assert (await acks(connection))[-1][2] == 210


async def test_every_stream_of_the_space_hears_of_pressure_and_of_its_end(world: World) -> None:
    world.limits = ConnectionLimits(1000, 10 * MIB, 30.0)
    busy, quiet = world.open("busy"), world.open("quiet")
    await events(quiet)
    await busy.observe(message(1, 160))
    assert await states(quiet) == [StreamState.BACKPRESSURE]
    await busy.observe(message(161, 30))
    (status,) = [event for event in await events(quiet) if isinstance(event, Status)]
    assert status.state is StreamState.OVERLOADED
    assert status.error is not None
    assert (status.error.code, status.error.field) == ("overloaded", "normal_lane_observations")
    assert (status.error.limit, status.error.value) == ("200", "190")
    assert status.error.retry_after_ms
    late = world.open("late")
    assert [type(event) for event in await events(late)] == [Opened, Status], "newcomers are told at once"
    await late.observe(message(1))
    (refusal,) = [event for event in await events(late) if isinstance(event, Ack)]
    assert refusal.error is not None
    assert refusal.error.code == "overloaded"
    world.store.commit_all()
    assert await states(quiet) == [StreamState.ACTIVE]


async def test_a_paused_stream_hears_of_pressure_when_it_resumes(world: World) -> None:
    world.limits = ConnectionLimits(1000, 10 * MIB, 30.0)
    busy, paused = world.open("busy"), world.open("paused")
    await paused.flow(PAUSE)
    await events(paused)
    await busy.observe(message(1, 160))
    await events(busy)
    await paused.flow(RESUME)
    assert await states(paused) == [StreamState.ACTIVE, StreamState.BACKPRESSURE]


async def test_a_client_without_room_gets_its_acks_when_it_has_room(world: World) -> None:
    connection = world.open()
    await events(connection)
    await connection.flow(Flow(FlowAction.BUFFER_STATUS, buffer_remaining=0))
    for first in (1, 2):
        await connection.observe(message(first))
        world.store.commit_all()
    session, _ = connection.opened()
    async with asyncio.timeout(10):
        await session.changed.wait_for(lambda: session.settled)
    await connection.flow(Flow(FlowAction.BUFFER_STATUS, buffer_remaining=5))
    assert await acks(connection) == [("accepted", 1, 2)]


async def test_reading_stops_while_too_much_is_in_flight(world: World) -> None:
    connection = world.open()
    for first, count in ((1, 99), (100, 50)):
        await asyncio.wait_for(connection.observe(message(first, count)), 10)
    reader = asyncio.create_task(connection.observe(message(150, 1)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not reader.done()
    assert world.lanes.depth == 149
    world.store.commit_all()
    await asyncio.wait_for(reader, 10)


async def test_a_paused_session_keeps_what_comes_and_holds_its_acks(world: World) -> None:
    connection = world.open()
    await connection.observe(message(1))
    await connection.flow(PAUSE)
    world.store.commit_all()
    await connection.observe(message(2))
    assert world.lanes.depth == 0
    told = await events(connection)
    assert [type(event) for event in told] == [Opened, Status]
    assert isinstance(told[1], Status)
    assert told[1].state is StreamState.PAUSED
    await connection.flow(RESUME)
    world.store.commit_all()
    session, _ = connection.opened()
    async with asyncio.timeout(10):
        await session.changed.wait_for(lambda: session.settled)
    active, ack = await events(connection)
    assert isinstance(active, Status)
    assert active.state is StreamState.ACTIVE
    assert isinstance(ack, Ack)
    assert (ack.first_sequence, ack.last_sequence) == (1, 2)
    assert world.space.stored == ["id-1", "id-2"]


async def test_a_paused_session_refuses_more_than_it_may_keep(world: World) -> None:
    connection = world.open()
    await connection.flow(PAUSE)
    await connection.observe(message(1, 100))
    await connection.observe(message(101, 1))
    told = [event for event in await events(connection) if isinstance(event, Ack)]
    assert [(ack.first_sequence, ack.error and ack.error.code) for ack in told] == [(101, "paused")]


async def test_all_paused_sessions_together_keep_no_more_than_the_server_has_room_for(world: World) -> None:
    one = message(1)
    world = World(world.executor, paused_bytes_max=3 * one.batch.nbytes)
    budget = world.sessions.backlogs
    connections = [world.open(name) for name in ("a", "b")]
    for connection in connections:
        await connection.flow(PAUSE)
        await connection.observe(message(1))
    await connections[0].observe(message(2))
    await connections[1].observe(message(2))
    (refusal,) = [event for event in await events(connections[1]) if isinstance(event, Ack)]
    assert isinstance(refusal.error, OverCapacity)
    assert (refusal.error.code, refusal.error.field) == ("paused", "paused_bytes_of_all")
    assert refusal.error.retry_after_ms
    connections[0].detach()
    assert budget.nbytes == one.batch.nbytes
    await connections[1].observe(message(2))
    await connections[1].flow(RESUME)
    assert budget.nbytes == 0
    world.store.commit_all()
    assert world.space.stored == ["id-1", "id-2"]


async def test_close_with_drain_waits_for_indexed(world: World) -> None:
    connection = world.open()
    await connection.observe(message(1, 10))
    closing = asyncio.create_task(connection.close(drain=True, last_sequence=10))
    await asyncio.sleep(0)
    world.store.commit_all()
    assert await acks(connection) == [("accepted", 1, 10)]
    assert not closing.done()
    assert connection.opened()[0].state is SessionState.DRAINING
    world.space.index_up_to(10)
    told = await events(connection)
    await asyncio.wait_for(closing, 10)
    told += await events(connection)
    assert isinstance(told[0], Ack)
    assert told[0].status is AckStatus.INDEXED
    assert told[1] == Status(StreamState.CLOSED, "closed", 10)
    assert await events(connection) == []
    assert len(world.sessions) == 0


async def test_close_without_drain_waits_for_acks_only(world: World) -> None:
    connection = world.open()
    await connection.observe(message(1, 10))
    closing = asyncio.create_task(connection.close(drain=False))
    await asyncio.sleep(0)
    assert not closing.done()
    world.store.commit_all()
    await asyncio.wait_for(closing, 10)
    told = await events(connection)
    assert told[-1] == Status(StreamState.CLOSED, "closed", 10)


async def test_close_says_if_the_clients_last_sequence_did_not_arrive(world: World) -> None:
    connection = world.open()
    await connection.close(drain=True, last_sequence=5)
    told = (await events(connection))[-1]
    assert isinstance(told, Status)
    assert told.error is not None
    assert (told.error.code, told.error.expected_sequence) == ("sequence_incomplete", 1)


async def test_a_close_of_a_paused_session_takes_what_it_kept(world: World) -> None:
    connection = world.open()
    await connection.flow(PAUSE)
    await connection.observe(message(1, 3))
    closing = asyncio.create_task(connection.close(drain=False))
    async with asyncio.timeout(10):
        await connection.opened()[0].changed.wait_for(lambda: world.lanes.depth > 0)
    world.store.commit_all()
    await asyncio.wait_for(closing, 10)
    assert world.space.durable_sequence("mine") == 3


async def test_the_end_of_input_lets_acks_out_and_keeps_the_session(world: World) -> None:
    connection = world.open()
    await connection.observe(message(1, 3))
    ending = asyncio.create_task(connection.end_of_input())
    await asyncio.sleep(0)
    assert not ending.done()
    world.store.commit_all()
    await asyncio.wait_for(ending, 10)
    assert await acks(connection) == [("accepted", 1, 3)]
    assert await events(connection) == []
    connection.detach()
    again = world.open()
    assert again.session is connection.session
    assert again.opened()[0].expected_sequence == 4


async def test_a_shutdown_lets_what_is_in_flight_be_acked(world: World) -> None:
    connection = world.open()
    await connection.observe(message(1, 3))
    reason = Unavailable("going", code="shutting_down")
    stopping = asyncio.create_task(connection.shut_down(reason))
    await asyncio.sleep(0)
    world.store.commit_all()
    await asyncio.wait_for(stopping, 10)
    told = await events(connection)
    assert [e.last_sequence for e in told if isinstance(e, Ack)] == [3]
    assert isinstance(told[-1], Status)
    assert (told[-1].state, told[-1].sequence) == (StreamState.CLOSED, 3)
    assert connection.outbox.error is reason


async def test_a_taken_over_connection_ends_although_the_session_stays_busy(world: World) -> None:
    older = world.open()
    await older.observe(message(1, 3))
    ending = asyncio.create_task(older.end_of_input())
    await asyncio.sleep(0)
    newer = world.open()
    await asyncio.wait_for(ending, 10)
    world.store.commit_all()
    assert await acks(newer) == [("accepted", 1, 3)]


async def test_what_still_comes_on_a_taken_over_connection_has_no_effect(world: World) -> None:
    older, newer = world.open(), world.open()
    await newer.flow(PAUSE)
    for call in (older.observe(message(1)), older.flow(RESUME), older.close(drain=False)):
        with pytest.raises(FailedPrecondition) as caught:
            await call
        assert caught.value.code == "session_taken_over"
    session, _ = newer.opened()
    assert (session.state, session.expected_sequence) == (SessionState.PAUSED, 1)


async def test_coming_back_does_not_make_room_for_more_in_flight(world: World) -> None:
    for first in (1, 61, 121):
        connection = world.open()
        sending = asyncio.create_task(connection.observe(message(first, 60)))
        await asyncio.sleep(0)
    assert not sending.done()
    assert connection.opened()[0].in_flight_count == 120
    world.store.commit_all()
    await asyncio.wait_for(sending, 10)


async def test_an_error_without_sequence_is_a_status(world: World) -> None:
    connection = world.open()
    connection.complain(FailedPrecondition("what was that?", code="malformed_message"))
    told = (await events(connection))[-1]
    assert isinstance(told, Status)
    assert told.state is StreamState.ERROR


async def test_mixed_priorities_of_a_session_commit_in_order(world: World) -> None:
    connection = world.open()
    for sequence, priority in enumerate((Priority.LOW, Priority.HIGH, Priority.NORMAL, Priority.HIGH), 1):
        await connection.observe(message(sequence, priority=priority))
    world.store.commit_all()
    assert await acks(connection) == [("accepted", 1, 4)]


async def test_a_connection_taken_over_while_an_embedder_works_admits_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    full = message(1, 3)
    bare = Message(1, with_vectors(full.batch, np.empty((3, 0), np.float32)), Priority.NORMAL)

    def embed(batch: ObservationBatch) -> ObservationBatch:
        assert go_on.wait(10)
        return with_vectors(batch, full.batch.vectors)

    monkeypatch.setattr(world.space, "prepare", embed)
    older = world.open()
    observing = asyncio.create_task(older.observe(bare))
    await asyncio.sleep(0)
    newer = world.open()
    go_on.set()
    await asyncio.wait_for(observing, 10)
    assert world.lanes.depth == 0
    await newer.observe(bare)
    world.store.commit_all()
    assert await acks(newer) == [("accepted", 1, 3)]

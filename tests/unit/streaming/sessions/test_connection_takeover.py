"""A connection whose session a newer one takes over: it ends, and has no effect from then on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from engram.errors import FailedPrecondition, InvalidInput, Unavailable
from engram.model.observations import ObservationBatch, with_vectors
from engram.model.priority import Priority
from engram.streaming.sessions.acks import AckStatus, SessionAck
from engram.streaming.sessions.connection import ConnectionLimits
from engram.streaming.sessions.outbox import Opened, StreamState
from engram.streaming.sessions.paused_backlog import Message
from engram.streaming.sessions.states import SessionState
from tests.doubles.batches import batch_of
from tests.doubles.conversation import PAUSE, RESUME, acks, answers, events, message, states
from tests.doubles.streaming_world import World, running_world

world = pytest.fixture(running_world)


async def test_a_taken_over_connection_ends_although_the_session_stays_busy(world: World) -> None:
    older = await world.open()
    await older.observe(message(1, 3))
    ending = asyncio.create_task(older.end_of_input())
    await asyncio.sleep(0)
    opening = asyncio.create_task(world.open())
    await asyncio.wait_for(ending, 60)
    assert not opening.done()
    world.store.commit_all()
    newer = await asyncio.wait_for(opening, 60)
    assert await events(newer) == [Opened("mine", 3, 8, 3)]


async def test_new_data_under_the_numbers_of_what_is_in_flight_are_stored(world: World) -> None:
    """As of a client that crashed, and comes back with its session id and without its window."""
    older = await world.open()
    await older.observe(message(1, 3))
    opening = asyncio.create_task(world.open())
    await asyncio.sleep(0)
    older.detach()
    world.store.commit_all()
    newer = await asyncio.wait_for(opening, 60)
    first = newer.opened()[0].durable_sequence + 1
    await newer.observe(Message(first, batch_of(["new-1", "new-2"]), Priority.NORMAL))
    world.store.commit_all()
    assert (await answers(newer))[-1] == SessionAck(AckStatus.ACCEPTED, 4, 5, 4, 5)
    assert world.space.stored == ["id-1", "id-2", "id-3", "new-1", "new-2"]


def give_embedder(
    world: World, monkeypatch: pytest.MonkeyPatch, embed: Callable[[ObservationBatch], ObservationBatch]
) -> None:
    """Have the space make missing vectors by `embed`."""
    monkeypatch.setattr(world.space, "config", replace(world.space.config, embedder="lexical"))
    monkeypatch.setattr(world.space, "prepare", embed)


async def test_a_refusal_is_not_told_to_who_took_over_while_it_was_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer connection has something else under the number, which it would take for refused."""
    go_on = threading.Event()
    bare = Message(1, with_vectors(message(1, 3).batch, np.empty((3, 0), np.float32)), Priority.NORMAL)

    def embed(batch: ObservationBatch) -> ObservationBatch:
        assert go_on.wait(10)
        raise InvalidInput("nothing to embed", code="empty_text")

    give_embedder(world, monkeypatch, embed)
    older = await world.open()
    observing = asyncio.create_task(older.observe(bare))
    await asyncio.sleep(0)
    newer = await world.open()
    go_on.set()
    await asyncio.wait_for(observing, 60)
    monkeypatch.undo()
    await newer.observe(message(1, 3))
    world.store.commit_all()
    assert await answers(newer) == [SessionAck(AckStatus.ACCEPTED, 1, 3, 1, 3)]


async def test_what_a_paused_connection_kept_goes_with_it(world: World) -> None:
    older = await world.open()
    await older.flow(PAUSE)
    await older.observe(message(1, 3))
    newer = await world.open()
    with pytest.raises(FailedPrecondition):
        await older.end_of_input()
    older.detach()
    assert world.lanes.depth == 0
    assert world.sessions.backlogs.nbytes == 0
    assert newer.opened()[0].state is SessionState.ACTIVE


async def test_a_server_that_stops_ends_one_that_waits(world: World) -> None:
    older = await world.open()
    await older.observe(message(1, 3))
    waiting = world.connect()
    opening = asyncio.create_task(waiting.open(world.space, "mine"))
    await asyncio.sleep(0)
    opening.cancel()
    reason = Unavailable("going", code="shutting_down")
    await asyncio.wait_for(waiting.shut_down(reason), 60)
    assert await events(waiting) == []
    assert waiting.outbox.error is reason
    world.store.commit_all()
    assert world.space.durable_sequence("mine") == 3


async def test_a_drain_that_took_too_long_leaves_what_is_in_flight_known(world: World) -> None:
    world.limits = ConnectionLimits(100, 1024 * 1024, drain_timeout_s=0.0)
    older = await world.open()
    await older.observe(message(1, 3))
    await asyncio.wait_for(older.close(drain=False), 60)
    assert (await states(older))[-1] is StreamState.CLOSED
    older.detach()
    opening = asyncio.create_task(world.open())
    await asyncio.sleep(0)
    assert not opening.done()
    world.store.commit_all()
    newer = await asyncio.wait_for(opening, 60)
    assert newer.opened()[0].durable_sequence == 3


async def test_what_still_comes_on_a_taken_over_connection_has_no_effect(world: World) -> None:
    older, newer = await world.open(), await world.open()
    await newer.flow(PAUSE)
    for call in (older.observe(message(1)), older.flow(RESUME), older.close(drain=False)):
        with pytest.raises(FailedPrecondition) as caught:
            await call
        assert caught.value.code == "session_taken_over"
    session, _ = newer.opened()
    assert (session.state, session.expected_sequence) == (SessionState.PAUSED, 1)


async def test_coming_back_does_not_make_room_for_more_in_flight(world: World) -> None:
    older = await world.open()
    for first in (1, 61):
        await older.observe(message(first, 60))
    sending = asyncio.create_task(older.observe(message(121, 60)))
    openings = [asyncio.create_task(world.open()) for _ in range(3)]
    await asyncio.sleep(0)
    assert older.session is not None
    assert older.session.in_flight_count == 120
    world.store.commit_all()
    # What waited for room is of no connection any more.
    await asyncio.wait_for(sending, 60)
    *_, newest = openings
    connection = await asyncio.wait_for(newest, 60)
    assert connection.opened()[0].expected_sequence == 121
    assert world.lanes.depth == 0
    taken_over = await asyncio.gather(*openings[:-1], return_exceptions=True)
    assert [error.code for error in taken_over if isinstance(error, FailedPrecondition)] == ["session_taken_over"] * 2


def embedded_on_demand(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[Message, threading.Event]:
    """A message of three observations without vectors, and the event that lets the embedder make them."""
    go_on = threading.Event()
    full = message(1, 3)
    bare = Message(1, with_vectors(full.batch, np.empty((3, 0), np.float32)), Priority.NORMAL)

    def embed(batch: ObservationBatch) -> ObservationBatch:
        assert go_on.wait(60)
        return with_vectors(batch, full.batch.vectors)

    give_embedder(world, monkeypatch, embed)
    return bare, go_on


async def test_a_connection_taken_over_while_an_embedder_works_admits_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare, go_on = embedded_on_demand(world, monkeypatch)
    older = await world.open()
    observing = asyncio.create_task(older.observe(bare))
    await asyncio.sleep(0)
    newer = await world.open()
    go_on.set()
    await asyncio.wait_for(observing, 60)
    assert world.lanes.depth == 0
    await newer.observe(bare)
    world.store.commit_all()
    assert await acks(newer) == [("accepted", 1, 3)]


async def test_a_connection_taken_over_while_it_works_off_its_backlog_does_not_end_the_session(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare, go_on = embedded_on_demand(world, monkeypatch)
    older = await world.open()
    await older.flow(PAUSE)
    await older.observe(bare)
    closing = asyncio.create_task(older.close(drain=False))
    await asyncio.sleep(0)
    newer = await world.open()
    go_on.set()
    await asyncio.wait_for(closing, 60)
    session, _ = newer.opened()
    assert session.state is SessionState.ACTIVE
    await newer.observe(bare)
    world.store.commit_all()
    assert await acks(newer) == [("accepted", 1, 3)]

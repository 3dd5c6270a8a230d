"""A connection whose session a newer one takes over: it ends, and has no effect from then on."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from doubles.conversation import PAUSE, RESUME, acks, message
from doubles.streaming_world import World, running_world
from engram.errors import FailedPrecondition
from engram.observations import ObservationBatch, with_vectors
from engram.store.intake import Priority
from engram.streaming.backlog import Message
from engram.streaming.states import SessionState

world = pytest.fixture(running_world)


async def test_a_taken_over_connection_ends_although_the_session_stays_busy(world: World) -> None:
    older = world.open()
    await older.observe(message(1, 3))
    ending = asyncio.create_task(older.end_of_input())
    await asyncio.sleep(0)
    newer = world.open()
    await asyncio.wait_for(ending, 60)
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
    await asyncio.wait_for(sending, 60)


async def test_a_connection_taken_over_while_an_embedder_works_admits_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    full = message(1, 3)
    bare = Message(1, with_vectors(full.batch, np.empty((3, 0), np.float32)), Priority.NORMAL)

    def embed(batch: ObservationBatch) -> ObservationBatch:
        assert go_on.wait(60)
        return with_vectors(batch, full.batch.vectors)

    monkeypatch.setattr(world.space, "prepare", embed)
    older = world.open()
    observing = asyncio.create_task(older.observe(bare))
    await asyncio.sleep(0)
    newer = world.open()
    go_on.set()
    await asyncio.wait_for(observing, 60)
    assert world.lanes.depth == 0
    await newer.observe(bare)
    world.store.commit_all()
    assert await acks(newer) == [("accepted", 1, 3)]

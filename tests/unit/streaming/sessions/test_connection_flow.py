"""A connection whose client asks for less: what is held and kept while it pauses or has no room."""

from __future__ import annotations

import asyncio

import pytest

from engram.errors import OverCapacity
from engram.streaming.sessions.acks import SessionAck
from engram.streaming.sessions.connection import ConnectionLimits
from engram.streaming.sessions.flow_control import Flow, FlowAction
from engram.streaming.sessions.outbox import Opened, StateChange, StreamState
from tests.doubles.conversation import PAUSE, RESUME, acks, events, message, states
from tests.doubles.streaming_world import World, running_world

MIB = 1024 * 1024

world = pytest.fixture(running_world)


async def test_a_paused_stream_hears_of_pressure_when_it_resumes(world: World) -> None:
    world.limits = ConnectionLimits(1000, 10 * MIB, 30.0)
    busy, paused = await world.open("busy"), await world.open("paused")
    await paused.flow(PAUSE)
    await events(paused)
    await busy.observe(message(1, 160))
    assert await states(busy) == [StreamState.BACKPRESSURE]
    await paused.flow(RESUME)
    assert await states(paused) == [StreamState.ACTIVE, StreamState.BACKPRESSURE]


async def test_a_client_without_room_gets_its_acks_when_it_has_room(world: World) -> None:
    connection = await world.open()
    await events(connection)
    await connection.flow(Flow(FlowAction.BUFFER_STATUS, buffer_remaining=0))
    for first in (1, 2):
        await connection.observe(message(first))
        world.store.commit_all()
    session, _ = connection.opened()
    async with asyncio.timeout(60):
        await session.changed.wait_for(lambda: session.settled)
    await connection.flow(Flow(FlowAction.BUFFER_STATUS, buffer_remaining=5))
    assert await acks(connection) == [("accepted", 1, 2)]


async def test_a_paused_session_keeps_what_comes_and_holds_its_acks(world: World) -> None:
    connection = await world.open()
    await connection.observe(message(1))
    await connection.flow(PAUSE)
    world.store.commit_all()
    await connection.observe(message(2))
    assert world.lanes.depth == 0
    told = await events(connection)
    assert [type(event) for event in told] == [Opened, StateChange]
    assert isinstance(told[1], StateChange)
    assert told[1].state is StreamState.PAUSED
    await connection.flow(RESUME)
    world.store.commit_all()
    session, _ = connection.opened()
    async with asyncio.timeout(60):
        await session.changed.wait_for(lambda: session.settled)
    active, ack = await events(connection)
    assert isinstance(active, StateChange)
    assert active.state is StreamState.ACTIVE
    assert isinstance(ack, SessionAck)
    assert (ack.first_sequence, ack.last_sequence) == (1, 2)
    assert world.space.stored == ["id-1", "id-2"]


async def test_a_paused_session_refuses_more_than_it_may_keep(world: World) -> None:
    connection = await world.open()
    await connection.flow(PAUSE)
    await connection.observe(message(1, 100))
    await connection.observe(message(101, 1))
    told = [event for event in await events(connection) if isinstance(event, SessionAck)]
    assert [(ack.first_sequence, ack.error and ack.error.code) for ack in told] == [(101, "paused")]


async def test_all_paused_sessions_together_keep_no_more_than_the_server_has_room_for(world: World) -> None:
    one = message(1)
    world = World(world.executor, paused_bytes_max=3 * one.batch.nbytes)
    budget = world.sessions.backlogs
    connections = [await world.open(name) for name in ("a", "b")]
    for connection in connections:
        await connection.flow(PAUSE)
        await connection.observe(message(1))
    await connections[0].observe(message(2))
    await connections[1].observe(message(2))
    (refusal,) = [event for event in await events(connections[1]) if isinstance(event, SessionAck)]
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

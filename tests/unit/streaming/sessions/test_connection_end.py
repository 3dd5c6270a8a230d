"""The end of a connection: closed, at the end of its input or shut down, what is in flight is acked first."""

from __future__ import annotations

import asyncio

import pytest

from engram.errors import Unavailable
from engram.streaming.sessions.acks import AckStatus, SessionAck
from engram.streaming.sessions.outbox import StateChange, StreamState
from engram.streaming.sessions.states import SessionState
from tests.doubles.conversation import PAUSE, acks, events, message
from tests.doubles.streaming_world import World, running_world

world = pytest.fixture(running_world)


async def test_close_with_drain_waits_for_indexed(world: World) -> None:
    connection = await world.open()
    await connection.observe(message(1, 10))
    closing = asyncio.create_task(connection.close(drain=True, last_sequence=10))
    await asyncio.sleep(0)
    world.store.commit_all()
    assert await acks(connection) == [("accepted", 1, 10)]
    assert not closing.done()
    assert connection.opened()[0].state is SessionState.DRAINING
    world.space.index_up_to(10)
    told = await events(connection)
    await asyncio.wait_for(closing, 60)
    told += await events(connection)
    assert isinstance(told[0], SessionAck)
    assert told[0].status is AckStatus.INDEXED
    assert told[1] == StateChange(StreamState.CLOSED, "closed", 10)
    assert await events(connection) == []
    assert len(world.sessions) == 0


async def test_close_without_drain_waits_for_acks_only(world: World) -> None:
    connection = await world.open()
    await connection.observe(message(1, 10))
    closing = asyncio.create_task(connection.close(drain=False))
    await asyncio.sleep(0)
    assert not closing.done()
    world.store.commit_all()
    await asyncio.wait_for(closing, 60)
    told = await events(connection)
    assert told[-1] == StateChange(StreamState.CLOSED, "closed", 10)


async def test_close_says_if_the_clients_last_sequence_did_not_arrive(world: World) -> None:
    connection = await world.open()
    await connection.close(drain=True, last_sequence=5)
    told = (await events(connection))[-1]
    assert isinstance(told, StateChange)
    assert told.error is not None
    assert (told.error.code, told.error.expected_sequence) == ("sequence_incomplete", 1)


async def test_a_close_of_a_paused_session_takes_what_it_kept(world: World) -> None:
    connection = await world.open()
    await connection.flow(PAUSE)
    await connection.observe(message(1, 3))
    closing = asyncio.create_task(connection.close(drain=False))
    async with asyncio.timeout(60):
        await connection.opened()[0].changed.wait_for(lambda: world.lanes.depth > 0)
    world.store.commit_all()
    await asyncio.wait_for(closing, 60)
    assert world.space.durable_sequence("mine") == 3


async def test_the_end_of_input_lets_acks_out_and_keeps_the_session(world: World) -> None:
    connection = await world.open()
    await connection.observe(message(1, 3))
    ending = asyncio.create_task(connection.end_of_input())
    await asyncio.sleep(0)
    assert not ending.done()
    world.store.commit_all()
    await asyncio.wait_for(ending, 60)
    assert await acks(connection) == [("accepted", 1, 3)]
    assert await events(connection) == []
    connection.detach()
    again = await world.open()
    assert again.session is connection.session
    assert again.opened()[0].expected_sequence == 4


async def test_a_shutdown_lets_what_is_in_flight_be_acked(world: World) -> None:
    connection = await world.open()
    await connection.observe(message(1, 3))
    reason = Unavailable("going", code="shutting_down")
    stopping = asyncio.create_task(connection.shut_down(reason))
    await asyncio.sleep(0)
    world.store.commit_all()
    await asyncio.wait_for(stopping, 60)
    told = await events(connection)
    assert [e.last_sequence for e in told if isinstance(e, SessionAck)] == [3]
    assert isinstance(told[-1], StateChange)
    assert (told[-1].state, told[-1].sequence) == (StreamState.CLOSED, 3)
    assert connection.outbox.error is reason

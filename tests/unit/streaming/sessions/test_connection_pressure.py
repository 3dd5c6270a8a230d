"""A connection whose server is at a limit: refused, told of it, or not read from."""

from __future__ import annotations

import asyncio

import pytest

from engram.streaming.sessions.acks import SessionAck
from engram.streaming.sessions.connection import ConnectionLimits
from engram.streaming.sessions.outbox import Opened, StateChange, StreamState
from tests.doubles.conversation import acks, events, message, states
from tests.doubles.streaming_world import World, running_world

MIB = 1024 * 1024

world = pytest.fixture(running_world)


async def test_a_full_lane_rejects_and_says_when_to_come_back(world: World) -> None:
    world.limits = ConnectionLimits(1000, 10 * MIB, 30.0)
    connection = await world.open()
    await connection.observe(message(1, 150))
    await connection.observe(message(151, 60))
    told = [event for event in await events(connection) if isinstance(event, SessionAck)]
    assert [(ack.first_sequence, ack.error and ack.error.code) for ack in told] == [(151, "lane_full")]
    assert told[0].error is not None
    assert told[0].error.retry_after_ms
    world.store.commit_all()
    await connection.observe(message(151, 60))
    world.store.commit_all()
    assert (await acks(connection))[-1][2] == 210


async def test_every_stream_of_the_space_hears_of_pressure_and_of_its_end(world: World) -> None:
    world.limits = ConnectionLimits(1000, 10 * MIB, 30.0)
    busy, quiet = await world.open("busy"), await world.open("quiet")
    await events(quiet)
    await busy.observe(message(1, 160))
    assert await states(quiet) == [StreamState.BACKPRESSURE]
    await busy.observe(message(161, 30))
    (status,) = [event for event in await events(quiet) if isinstance(event, StateChange)]
    assert status.state is StreamState.OVERLOADED
    assert status.error is not None
    assert (status.error.code, status.error.field) == ("overloaded", "normal_lane_observations")
    assert (status.error.limit, status.error.value) == ("200", "190")
    assert status.error.retry_after_ms
    late = await world.open("late")
    assert [type(event) for event in await events(late)] == [Opened, StateChange], "a new stream is told at once"
    await late.observe(message(1))
    (refusal,) = [event for event in await events(late) if isinstance(event, SessionAck)]
    assert refusal.error is not None
    assert refusal.error.code == "overloaded"
    world.store.commit_all()
    assert await states(quiet) == [StreamState.ACTIVE]


async def test_reading_stops_while_too_much_is_in_flight(world: World) -> None:
    connection = await world.open()
    for first, count in ((1, 99), (100, 50)):
        await asyncio.wait_for(connection.observe(message(first, count)), 60)
    reader = asyncio.create_task(connection.observe(message(150, 1)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not reader.done()
    assert world.lanes.depth == 149
    world.store.commit_all()
    await asyncio.wait_for(reader, 60)

"""What tests say on a connection, and waiting for what they hear on it."""

from __future__ import annotations

import asyncio

from engram.model.priority import Priority
from engram.streaming.sessions.acks import SessionAck
from engram.streaming.sessions.connection import Connection
from engram.streaming.sessions.flow_control import Flow, FlowAction
from engram.streaming.sessions.outbox import Event, StateChange, StreamState
from engram.streaming.sessions.paused_backlog import Message
from tests.doubles.batches import batch_of

PAUSE = Flow(FlowAction.PAUSE)
RESUME = Flow(FlowAction.RESUME)


def message(first: int, count: int = 1, priority: Priority = Priority.NORMAL) -> Message:
    """Observations whose ids tell their sequence numbers."""
    return Message(first, batch_of([f"id-{first + i}" for i in range(count)]), priority)


async def events(connection: Connection) -> list[Event]:
    """All that may go out, waiting for the first; nothing once the connection has ended."""
    return await asyncio.wait_for(connection.outbox.take(), 60)


async def answers(connection: Connection) -> list[SessionAck]:
    """All acks, once nothing is in flight."""
    session, _ = connection.opened()
    async with asyncio.timeout(60):
        await session.changed.wait_for(lambda: session.settled)
    return [event for event in await events(connection) if isinstance(event, SessionAck)]


async def states(connection: Connection) -> list[StreamState]:
    """The next statuses, waiting for the first."""
    found: list[StreamState] = []
    while not found:
        found = [event.state for event in await events(connection) if isinstance(event, StateChange)]
    return found


async def acks(connection: Connection) -> list[tuple[str, int, int]]:
    """The next acks, waiting for the first."""
    found: list[tuple[str, int, int]] = []
    while not found:
        told = await events(connection)
        assert told, "the connection has ended"
        found = [(e.status.value, e.first_sequence, e.last_sequence) for e in told if isinstance(e, SessionAck)]
    return found

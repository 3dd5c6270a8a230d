"""A server in memory behind the client's transport interface, with every fault at the caller's command."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from engram.client.transport import Accepted, Closed, Event, Greeting, Refused, Welcome
from engram.errors import EngramError, SequenceError, Unavailable
from engram.model.ack import Ack


class FakeConnection:
    """One connection; `events` is what the client still has to read."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self.events: asyncio.Queue[Event | EngramError] = asyncio.Queue()
        self.broken: EngramError | None = None
        self._reading = False

    async def send(self, payload: Any, first_sequence: int, traceparent: str = "") -> None:
        if self.broken is not None:
            raise self.broken
        self._server.take(self, payload, first_sequence)

    async def receive(self) -> Event:
        # Asking for the next event means that the one before has been dealt with.
        if self._reading:
            self.events.task_done()
        event = await self.events.get()
        self._reading = True
        if isinstance(event, EngramError):
            raise event
        return event

    async def close_session(self, last_sequence: int) -> None:
        self._server.closed_at = last_sequence
        self.events.put_nowait(Closed())

    async def abort(self) -> None:
        self.broken = Unavailable("aborted")

    def break_off(self, error: EngramError | None = None) -> None:
        """End the connection as a network or a dying server would."""
        self.broken = error or Unavailable("connection lost")
        self.events.put_nowait(self.broken)


class FakeServer:
    """Stores payloads under their sequence numbers and answers at once, unless told otherwise.

    Payloads are lists of strings, one per observation.
    """

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.connections: list[FakeConnection] = []
        self.greetings: list[Greeting] = []
        self.incarnation = ""
        self.connected = asyncio.Event()
        self.refuse_connect: deque[EngramError] = deque()
        self.on_message: Callable[[FakeConnection, list[str], int], bool] = lambda connection, payload, first: False
        self.closed_at: int | None = None
        self.queue_capacity = 0
        self.received = 0
        self.disconnected = False

    async def observe(self, greeting: Greeting) -> tuple[FakeConnection, Welcome]:
        self.greetings.append(greeting)
        if self.refuse_connect:
            raise self.refuse_connect.popleft()
        connection = FakeConnection(self)
        self.connections.append(connection)
        self.connected.set()
        durable = len(self.stored)
        session_id = greeting.session_id or "session-1"
        return connection, Welcome(session_id, durable, durable, self.queue_capacity, self.incarnation)

    async def close(self) -> None:
        self.disconnected = True

    def take(self, connection: FakeConnection, payload: list[str], first: int) -> None:
        """Read one message: the test's own behaviour if it has one for it, else store and acknowledge."""
        self.received += 1
        if not self.on_message(connection, payload, first):
            self.store(connection, payload, first)

    def store(self, connection: FakeConnection, payload: list[str], first: int, tell: bool = True) -> None:
        """Store a message that comes next, answer a duplicate, refuse a gap."""
        last = first + len(payload) - 1
        expected = len(self.stored) + 1
        if first > expected:
            error = SequenceError("gap", expected_sequence=expected)
            connection.events.put_nowait(Refused(first, last, error))
            return
        if first == expected:
            self.stored.extend(payload)
        if tell:
            connection.events.put_nowait(Accepted(Ack(first, last, first, last)))

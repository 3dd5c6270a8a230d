"""A server's streaming objects without sockets, and clients that check each answer against what is stored."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, Final

from engram.errors import EngramError, SequenceError
from engram.model.priority import Priority
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from engram.streaming.lanes.lane import LaneLimits
from engram.streaming.lanes.lanes import Lanes
from engram.streaming.sessions.acks import AckStatus, SessionAck
from engram.streaming.sessions.claim import Claim
from engram.streaming.sessions.connection import ConnectionLimits
from engram.streaming.sessions.flow_control import Flow, FlowAction
from engram.streaming.sessions.outbox import Event, Opened, StateChange
from engram.streaming.sessions.paused_backlog import Message
from tests.doubles.batches import batch_of
from tests.doubles.fake_space import ManualClock
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.manual_store import ManualStore

LANE_COUNT_MAX: Final = 15
IN_FLIGHT_COUNT_MAX: Final = 10


class Server:
    """The engine of a server over a store that commits when told."""

    def __init__(self, storage: FaultyStorage, executor: Executor) -> None:
        lanes = Lanes(dict.fromkeys(Priority, LaneLimits(LANE_COUNT_MAX, 10**9)), take_count_max=6)
        self.store = ManualStore(lanes, storage)
        self.clock = ManualClock()
        options = ServerOptions(None, connection=ConnectionLimits(IN_FLIGHT_COUNT_MAX, 10**9, 30.0))
        store: Any = self.store
        # Whoever waits for what is in flight waits for a rule that commits it, however long that takes.
        engine = Engine(options, store, lanes, executor, settle_timeout_s=3600.0, clock=self.clock)
        self.sessions, self.connect = engine.sessions, engine.connect


class Wire:
    """One connection and the two tasks a transport has for it: messages are acted on in order, events are written.

    The first act is to open the session, which may have to wait for what an older connection has in flight.
    """

    def __init__(self, server: Server, session_id: str, claim: Claim) -> None:
        self.connection = server.connect()
        self.unread: list[Event] = []
        self._messages: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self.send(lambda: self.connection.open(server.store.space, session_id, claim))
        self._reader = asyncio.create_task(self._read())
        self._writer = asyncio.create_task(self._write())

    @property
    def is_open(self) -> bool:
        """Whether the session is this connection's now."""
        session = self.connection.session
        return session is not None and session.outbox is self.connection.outbox and not self.ended

    @property
    def ended(self) -> bool:
        return self._writer.done()

    def send(self, act: Callable[[], Awaitable[None]]) -> None:
        self._messages.put_nowait(act)

    def observe(self, first: int, ids: list[str], priority: Priority) -> None:
        self.send(lambda: self.connection.observe(Message(first, batch_of(ids), priority)))

    def flow(self, action: FlowAction) -> None:
        self.send(lambda: self.connection.flow(Flow(action)))

    async def drop(self) -> None:
        self.connection.detach()
        self._reader.cancel()
        self._writer.cancel()
        await asyncio.gather(self._reader, self._writer, return_exceptions=True)

    async def _read(self) -> None:
        try:
            while not self.connection.outbox.finished:
                await (await self._messages.get())()
        except EngramError as error:
            self.connection.outbox.finish(error)

    async def _write(self) -> None:
        while events := await self.connection.outbox.take():
            self.unread += events


class Client:
    """One client of a session, what it sends under its numbers, and what it has been promised.

    It crashes now and then, and comes back as another writer that knows nothing but the id of the session: what it
    then sends under a number is something else than what it sent under that number before.
    """

    _lives = itertools.count(1)

    def __init__(self, name: str) -> None:
        self.name = name
        self.wire: Wire | None = None
        self.replaced: Wire | None = None
        # Everything that was acknowledged to it in all its lives: ids by sequence numbers.
        self.promised: dict[int, str] = {}
        self.forget()

    def forget(self) -> None:
        """Begin another life."""
        self.life = next(self._lives)
        self.known: int | None = None
        self.base = 0
        self.next = 1
        self.acked = 0
        self.indexed = 0
        self.sent = 0
        self.told: StateChange | None = None

    @property
    def is_open(self) -> bool:
        return self.wire is not None and self.wire.is_open

    @property
    def claim(self) -> Claim:
        return Claim(self.life, self.known)

    def connect(self, server: Server) -> None:
        """Come on a new connection; what an earlier one was told last says nothing of this one."""
        self.told = None
        self.wire = Wire(server, self.name, self.claim)

    def ids(self, first: int, count: int) -> list[str]:
        """What it sends under these numbers, as long as it lives."""
        return [f"{self.name} {number} of {self.life}" for number in range(first, first + count)]

    def observe(self, first: int, count: int, priority: Priority) -> None:
        """Send so many from that number on."""
        assert self.wire is not None
        self.sent = max(self.sent, first + count - 1)
        self.wire.observe(first, self.ids(first, count), priority)

    def listen(self, store: ManualStore) -> None:
        """Check every answer that has come against what is stored."""
        for event in self._unread():
            if isinstance(event, Opened):
                self._open(event, store)
            elif isinstance(event, StateChange):
                self.told = event
            else:
                self._take(event, store)

    def _unread(self) -> list[Event]:
        if self.wire is None:
            return []
        events, self.wire.unread = self.wire.unread, []
        return events

    def _open(self, opened: Opened, store: ManualStore) -> None:
        assert self.acked <= opened.initial_sequence == store.space.durable_sequence(self.name)
        if self.known is None:
            self.base = opened.initial_sequence
        # What it has sent and not heard of it takes for stored now.
        self._promise(self.acked + 1, min(self.sent, opened.initial_sequence), store)
        self.known = self.acked = opened.initial_sequence
        self.next = self.acked + 1

    def _promise(self, first: int, last: int, store: ManualStore) -> None:
        """Take what it sent under these numbers for stored, which must be true."""
        stored = {each.sequence: each.id for each in store.stored(self.name)}
        for number in range(max(first, self.base + 1), last + 1):
            (self.promised[number],) = self.ids(number, 1)
            assert stored.get(number) == self.promised[number]

    def _take(self, ack: SessionAck, store: ManualStore) -> None:
        generations = {stored.sequence: stored.generation for stored in store.stored(self.name)}
        if ack.status is AckStatus.ACCEPTED:
            # For a duplicate these are the generations of the original, also after a restart.
            assert ack.first_generation == generations[ack.first_sequence]
            assert ack.last_generation == generations[ack.last_sequence]
            assert ack.last_sequence <= max(self.sent, self.base)
            self._promise(self.acked + 1, ack.last_sequence, store)
            self.acked = max(self.acked, ack.last_sequence)
            self.known = self.acked
            self.next = max(self.next, ack.last_sequence + 1)
        elif ack.status is AckStatus.INDEXED:
            assert self.indexed <= ack.last_sequence <= self.acked
            assert generations[ack.last_sequence] <= store.space.indexed_generation
            self.indexed = ack.last_sequence
        else:
            assert ack.error is not None
            if ack.error.code != "paused" and ack.first_sequence:
                # What is refused is not consumed. A paused session refuses what it has no room for unseen.
                assert ack.last_sequence not in generations
            if isinstance(ack.error, SequenceError):
                assert ack.error.expected_sequence is not None
            self.next = min(self.next, ack.error.expected_sequence or ack.first_sequence)

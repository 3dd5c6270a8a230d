"""A server's streaming objects without sockets, and clients that check each answer against what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, Final

from doubles.batches import batch_of
from doubles.fake_space import ManualClock
from doubles.faulty_storage import FaultyStorage
from doubles.manual_store import ManualStore
from engram.errors import EngramError, SequenceError
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
from engram.streaming.outbox import Event, Opened, Status
from engram.streaming.pressure import Thresholds
from engram.streaming.sessions import Sessions

LANE_COUNT_MAX: Final = 15
IN_FLIGHT_COUNT_MAX: Final = 10


class Server:
    """The streaming objects of a server over a store, as `engram.server.engine` puts them together."""

    def __init__(self, storage: FaultyStorage, executor: Executor) -> None:
        loop = asyncio.get_running_loop()
        lanes = Lanes(dict.fromkeys(Priority, LaneLimits(LANE_COUNT_MAX, 10**9)), take_count_max=6)
        self.store = ManualStore(lanes, storage)
        self.clock = ManualClock()
        mailbox = Mailbox(loop)
        self.sessions = Sessions(mailbox=mailbox, counters=Counters(), clock=self.clock)
        admission = Admission(
            lanes=lanes,
            ticked=(),
            thresholds=Thresholds(),
            mailbox=mailbox,
            soon=loop.call_soon,
            tell=self.sessions.tell_pressure,
        )
        store: Any = self.store
        self._ingest = Ingest(store, mailbox, admission, executor)

    def connect(self) -> Connection:
        return Connection(self._ingest, self.sessions, ConnectionLimits(IN_FLIGHT_COUNT_MAX, 10**9, 30.0))


class Wire:
    """One connection and the two tasks a transport has for it: messages are acted on in order, events are written."""

    def __init__(self, server: Server, session_id: str) -> None:
        self.connection = server.connect()
        self.connection.open(server.store.space, session_id)
        self.unread: list[Event] = []
        self._messages: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())
        self._writer = asyncio.create_task(self._write())

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
    """One session from the client's side, and what it has been promised."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.wire: Wire | None = None
        self.replaced: Wire | None = None
        self.next = 1
        self.acked = 0
        self.indexed = 0
        self.told: Status | None = None

    def ids(self, first: int, count: int) -> list[str]:
        return [f"{self.name} {number}" for number in range(first, first + count)]

    def listen(self, store: ManualStore) -> None:
        """Check every answer that has come against what is stored."""
        for event in self._unread():
            if isinstance(event, Opened):
                assert self.acked <= event.initial_sequence <= store.space.durable_sequence(self.name)
                self.acked = event.initial_sequence
                self.next = self.acked + 1
            elif isinstance(event, Status):
                self.told = event
            else:
                self._take(event, store)

    def _unread(self) -> list[Event]:
        if self.wire is None:
            return []
        events, self.wire.unread = self.wire.unread, []
        return events

    def _take(self, ack: Ack, store: ManualStore) -> None:
        generations = {stored.sequence: stored.generation for stored in store.stored(self.name)}
        if ack.status is AckStatus.ACCEPTED:
            # For a duplicate these are the generations of the original, also after a restart.
            assert ack.first_generation == generations[ack.first_sequence]
            assert ack.last_generation == generations[ack.last_sequence]
            self.acked = max(self.acked, ack.last_sequence)
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

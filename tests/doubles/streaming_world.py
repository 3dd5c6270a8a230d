"""What there is between a connection and a store, over a store that commits when told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from engram.model.priority import Priority
from engram.streaming.counters import Counters
from engram.streaming.ingest import Ingest
from engram.streaming.lanes.lane import LaneLimits
from engram.streaming.lanes.lanes import Lanes
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.pressure.levels import Thresholds
from engram.streaming.pressure.load_shedding import LoadShedder
from engram.streaming.sessions.claim import Claim
from engram.streaming.sessions.connection import Connection, ConnectionLimits
from engram.streaming.sessions.registry import Sessions
from tests.doubles.fake_space import FakeSpace, FakeStore, ManualClock

MIB = 1024 * 1024


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
        self.admission = LoadShedder(
            lanes=self.lanes,
            ticked=(),
            thresholds=Thresholds(),
            mailbox=mailbox,
            soon=loop.call_soon,
            tell=self.sessions.tell_pressure,
        )
        self.ingest = Ingest(self.store, mailbox, self.admission, self.executor)

    def connect(self) -> Connection:
        """A connection whose first message has not come."""
        return Connection(self.ingest, self.sessions, self.limits)

    async def open(self, session_id: str = "mine", claim: Claim | None = None) -> Connection:
        """A connection with an open session; a second one of the same name takes the session over."""
        connection = self.connect()
        await connection.open(self.space, session_id, claim)
        return connection


async def running_world() -> AsyncIterator[World]:
    """A world while its executor runs, to be made a fixture by those who need it."""
    with ThreadPoolExecutor(1) as executor:
        yield World(executor)

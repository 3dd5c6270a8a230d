"""What there is between a connection and a store, over a store that commits when told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engram.model.priority import Priority
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from engram.streaming.lanes.lane import LaneLimits
from engram.streaming.lanes.lanes import Lanes
from engram.streaming.sessions.claim import Claim
from engram.streaming.sessions.connection import Connection, ConnectionLimits
from tests.doubles.fake_space import FakeSpace, FakeStore, ManualClock

MIB = 1024 * 1024


class World:
    """One space, one store and the objects between them and a connection, as a server has them."""

    def __init__(self, executor: ThreadPoolExecutor, paused_bytes_max: int = 10 * MIB) -> None:
        self.executor = executor
        self.space: Any = FakeSpace()
        self.lanes = Lanes(dict.fromkeys(Priority, LaneLimits(200, 10 * MIB)))
        store: Any = FakeStore(self.lanes, [self.space])
        self.store = store
        self.limits = ConnectionLimits(100, MIB, 30.0)
        options = ServerOptions(None, paused_bytes_max=paused_bytes_max)
        self._engine = Engine(options, store, self.lanes, executor, clock=ManualClock())
        self.counters, self.sessions = self._engine.counters, self._engine.sessions
        self.admission, self.ingest = self._engine.admission, self._engine.ingest

    def connect(self) -> Connection:
        """A connection whose first message has not come, with the present `limits`."""
        return self._engine.connect(self.limits)

    async def open(self, session_id: str = "mine", claim: Claim | None = None) -> Connection:
        """A connection with an open session; a second one of the same name takes the session over."""
        connection = self.connect()
        await connection.open(self.space, session_id, claim)
        return connection


async def running_world() -> AsyncIterator[World]:
    """A world while its executor runs, to be made a fixture by those who need it."""
    with ThreadPoolExecutor(1) as executor:
        yield World(executor)

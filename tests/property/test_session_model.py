"""A session against the simplest model there is: the list of what the store holds, in order, once each.

The client here sends pipelined, repeats itself, leaves gaps and loses its connection; the store fails now and then.
Whatever happens: nothing is stored twice, nothing out of order, every ack tells the truth, and a client that follows
the answers gets everything stored.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from doubles.batches import batch_of
from doubles.fake_space import FakeSpace, FakeStore, ManualClock
from engram.errors import Unavailable
from engram.store.intake import Priority
from engram.streaming.acks import Ack, AckStatus
from engram.streaming.admission import Admission
from engram.streaming.backlog import Message
from engram.streaming.connection import Connection, ConnectionLimits
from engram.streaming.counters import Counters
from engram.streaming.ingest import Ingest
from engram.streaming.lane import LaneLimits
from engram.streaming.lanes import Lanes
from engram.streaming.mailbox import Mailbox
from engram.streaming.outbox import Opened
from engram.streaming.pressure import Thresholds
from engram.streaming.sessions import Sessions

sends = st.tuples(st.just("send"), st.integers(-3, 3), st.integers(1, 4), st.sampled_from(list(Priority)))
steps = st.lists(
    st.one_of(
        sends,
        st.tuples(st.just("forward"), st.integers(1, 4), st.sampled_from(list(Priority))),
        st.just(("commit",)),
        st.just(("fail",)),
        st.just(("reconnect",)),
        st.just(("restart",)),
    ),
    max_size=60,
)


class Client:
    """Sends into a world and checks every answer against what the space holds."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.space: Any = FakeSpace()
        self.lanes = Lanes(dict.fromkeys(Priority, LaneLimits(15, 10**9)), take_count_max=6)
        self.store: Any = FakeStore(self.lanes)
        self._executor = executor
        self.next = 1
        self.restart()

    def restart(self) -> None:
        """The server comes up again: what waited in memory is gone, what is durable is not."""
        while self.lanes.take(0):
            pass
        self._mailbox = Mailbox(asyncio.get_running_loop())
        self._sessions = Sessions(mailbox=self._mailbox, counters=Counters(), clock=ManualClock())
        self.connect()

    def connect(self) -> None:
        admission = Admission(
            lanes=self.lanes,
            ticked=(),
            thresholds=Thresholds(),
            mailbox=self._mailbox,
            soon=asyncio.get_running_loop().call_soon,
            tell=self._sessions.tell_pressure,
        )
        ingest = Ingest(self.store, self._mailbox, admission, self._executor)
        self.connection = Connection(ingest, self._sessions, ConnectionLimits(10**6, 10**9, 30.0))
        self.connection.open(self.space, "mine")

    async def send(self, first: int, count: int, priority: Priority) -> None:
        ids = [f"{number}" for number in range(first, first + count)]
        await self.connection.observe(Message(first, batch_of(ids), priority))
        await self.listen()

    async def listen(self) -> None:
        """Read every answer there is by now."""
        for _ in range(4):
            await asyncio.sleep(0)
        durable = self.space.durable_sequence("mine")
        taking = asyncio.create_task(self.connection.outbox.take())
        for _ in range(2):
            await asyncio.sleep(0)
        if not taking.done():
            taking.cancel()
            return
        for event in taking.result():
            if isinstance(event, Opened):
                assert event.initial_sequence <= durable
                self.next = event.initial_sequence + 1
            elif isinstance(event, Ack) and event.status is AckStatus.ACCEPTED:
                assert event.last_sequence <= durable
                if event.last_generation:
                    assert self.space.stored[event.last_generation - 1] == str(event.last_sequence)
                self.next = max(self.next, event.last_sequence + 1)
            elif isinstance(event, Ack):
                assert event.error is not None
                expected = event.error.expected_sequence or event.first_sequence
                self.next = min(self.next, expected)

    async def settle(self) -> None:
        """Commit and listen until the store is empty and everything is answered."""
        for _ in range(200):
            self.store.commit_all()
            await self.listen()
            if self.connection.opened()[0].settled and not self.lanes.depth:
                return
        raise AssertionError("the session does not settle")

    async def step(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("send", offset, count, priority):
                await self.send(max(0, self.next + offset), count, priority)
            case ("forward", count, priority):
                first = self.connection.opened()[0].expected_sequence
                await self.send(first, count, priority)
            case ("commit",):
                self.store.commit()
                await self.listen()
            case ("fail",):
                self.space.fail_next = Unavailable("the disk is full", code="disk_full")
            case ("reconnect",):
                self.connection.detach()
                self.connect()
                await self.listen()
            case ("restart",):
                self.restart()
                await self.listen()


@settings(deadline=None)
@given(steps)
def test_whatever_happens_the_store_holds_a_prefix_once(script: list[tuple[Any, ...]]) -> None:
    async def run() -> None:
        with ThreadPoolExecutor(1) as executor:
            client = Client(executor)
            await client.listen()
            for step in script:
                await client.step(step)
                stored = client.space.stored
                assert stored == [str(number) for number in range(1, len(stored) + 1)]
            client.space.fail_next = None
            await client.settle()
            # Whatever went before, a client that sends from the expected number gets through.
            session = client.connection.opened()[0]
            durable = client.space.durable_sequence("mine")
            assert session.durable_sequence == durable
            assert session.expected_sequence == durable + 1
            await client.send(durable + 1, 3, Priority.NORMAL)
            await client.settle()
            assert client.space.durable_sequence("mine") == durable + 3

    asyncio.run(run())

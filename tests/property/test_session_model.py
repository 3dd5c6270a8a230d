"""Sessions against the simplest model there is: what the log holds of each is 1, 2, 3, ..., in order, once each.

Clients send pipelined, repeat themselves, leave gaps, pause, lose their connections and come back on others while the
first ones still talk; they crash with batches in flight, and come back with new data under the id of their session; two
of them have one session id; the disk fills up, the server loses power. Connections, sessions, lanes, the space and its
log are the real ones; only sockets are missing, and the committer and the index workers work when a rule says so.
Whatever happens: nothing is stored twice, nothing out of order, every ack tells the truth, which includes whose data it
is about, what was acked stays, and a client that follows the answers gets everything stored.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engram.errors import FailedPrecondition
from engram.model.priority import Priority
from engram.streaming.sessions.flow_control import Flow, FlowAction
from engram.streaming.sessions.outbox import StateChange, StreamState
from engram.streaming.sessions.paused_backlog import Message
from tests.doubles.batches import batch_of
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.session_clients import IN_FLIGHT_COUNT_MAX, Client, Server

# Of the first two, each is a stranger to the other.
NAMES = ("anna", "anna", "bert")
CLIENTS = st.sampled_from(range(len(NAMES)))
PRIORITIES = st.sampled_from(list(Priority))
# More turns of the event loop than anything a rule does needs to run its course.
TURNS = 20


class SessionMachine(RuleBasedStateMachine):
    """Three clients with two sessions, in one space of one server, which is restarted now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.executor = ThreadPoolExecutor(1)
        self.clients = [Client(name) for name in NAMES]
        self.power_losses = 0

    @initialize()
    def start(self) -> None:
        self.run(self.boot(FaultyStorage()))

    async def boot(self, storage: FaultyStorage) -> None:
        self.server = Server(storage, self.executor)
        for client in self.clients:
            # Linked vectors are not durable without a checkpoint, so it is told again what is indexed.
            client.indexed = 0

    @rule(client=CLIENTS, offset=st.integers(-4, 3), count=st.integers(1, 4), priority=PRIORITIES)
    def send(self, client: int, offset: int, count: int, priority: Priority) -> None:
        """Send what is next, or repeat something, or leave something out."""
        sender = self.connected(client)
        if sender.is_open:
            sender.observe(max(0, sender.next + offset), count, priority)
            self.run()

    @rule(client=CLIENTS, counts=st.lists(st.integers(1, 4), min_size=1, max_size=5), priority=PRIORITIES)
    def send_on(self, client: int, counts: list[int], priority: Priority) -> None:
        """Send one message after the other without waiting for answers."""
        sender = self.connected(client)
        if sender.wire is not None and sender.is_open:
            first = sender.wire.connection.opened()[0].expected_sequence
            for count in counts:
                sender.observe(first, count, priority)
                first += count
            self.run()

    @rule(takes=st.integers(1, 3))
    def commit(self, takes: int) -> None:
        for _ in range(takes):
            self.server.store.commit()
        self.run()

    @rule(count=st.integers(1, 20))
    def link(self, count: int) -> None:
        self.server.store.link(count)
        self.run()

    @rule()
    def fill_up_the_disk(self) -> None:
        """The next commit fails, and leaves everything as it was."""
        self.server.store.storage.faults.pending[:] = [Fault("write", errno.ENOSPC)]

    @rule(client=CLIENTS, action=st.sampled_from([FlowAction.PAUSE, FlowAction.RESUME]))
    def flow(self, client: int, action: FlowAction) -> None:
        sender = self.connected(client)
        if sender.wire is not None and sender.is_open:
            sender.wire.flow(action)
            self.run()

    @rule(client=CLIENTS)
    def disconnect(self, client: int) -> None:
        self.run(self.hang_up(self.clients[client]))

    @rule(client=CLIENTS, come_back=st.booleans())
    def crash(self, client: int, come_back: bool) -> None:
        """Be gone with all that was not answered, and come back, now or later, with other data."""
        crashed = self.clients[client]
        self.run(self.hang_up(crashed))
        crashed.forget()
        if come_back:
            self.connected(client)

    @rule(client=CLIENTS)
    def crash_unnoticed(self, client: int) -> None:
        """Crash and come back before the server has seen that the connection is gone."""
        crashed = self.clients[client]
        crashed.forget()
        self.run(self.replace(crashed))

    async def hang_up(self, client: Client) -> None:
        if client.wire is not None:
            await client.wire.drop()
            client.wire = None

    @rule(client=CLIENTS)
    def take_over(self, client: int) -> None:
        """Come back while the older connection still seems to be there: the newer wins, the older is told."""
        resumed = self.connected(client)
        was_open = resumed.is_open
        self.run(self.replace(resumed))
        older = resumed.replaced
        assert older is not None
        assert older.ended
        if was_open:
            (told,) = [event for event in older.unread if isinstance(event, StateChange)][-1:]
            assert told.error is not None
            assert (told.state, told.error.code) == (StreamState.ERROR, "session_taken_over")
        else:
            assert isinstance(older.connection.outbox.error, FailedPrecondition)

    async def replace(self, client: Client) -> None:
        if client.replaced is not None:
            await client.replaced.drop()
        client.replaced = client.wire
        client.connect(self.server)

    @rule(
        client=CLIENTS,
        act=st.sampled_from(["observe", "pause", "resume", "close", "end"]),
    )
    def an_older_connection_still_talks(self, client: int, act: str) -> None:
        """Nothing that comes on it has any effect: the newer one speaks for the session."""
        sender = self.clients[client]
        if sender.replaced is None or sender.replaced.connection.session is None or sender.wire is None:
            return
        session = sender.wire.connection.session
        if session is None:
            return
        before = session.state, session.expected_sequence
        older = sender.replaced.connection
        calls: dict[str, Callable[[], Awaitable[None]]] = {
            "observe": lambda: older.observe(Message(before[1], batch_of(["a ghost"]), Priority.HIGH)),
            "pause": lambda: older.flow(Flow(FlowAction.PAUSE)),
            "resume": lambda: older.flow(Flow(FlowAction.RESUME)),
            "close": lambda: older.close(drain=False),
            "end": older.end_of_input,
        }
        self.run(self.refused(calls[act]))
        assert (session.state, session.expected_sequence) == before

    async def refused(self, call: Callable[[], Awaitable[None]]) -> None:
        with pytest.raises(FailedPrecondition) as caught:
            await call()
        assert caught.value.code == "session_taken_over"

    @rule(client=CLIENTS)
    def drain(self, client: int) -> None:
        """Close the session: everything admitted is stored, indexed and acked before the last word."""
        closing = self.opened(client)
        wire = closing.wire
        assert wire is not None
        wire.send(lambda: wire.connection.close(drain=True))
        for _ in range(100):
            if wire.ended:
                break
            self.server.store.commit()
            self.server.store.link(100)
            self.run()
        durable = self.server.store.space.durable_sequence(closing.name)
        last = closing.told
        assert last is not None
        assert (last.state, last.sequence, last.error) == (StreamState.CLOSED, durable, None)
        assert closing.acked == closing.indexed == durable
        self.disconnect(client)

    @rule()
    def expire(self) -> None:
        """Everybody is silent for too long: sessions end, and can be resumed like any other."""
        self.server.clock.advance(301)
        self.server.sessions.expire()
        self.run()
        for client in self.clients:
            if client.wire is not None and client.wire.ended:
                told = client.told.error if client.told is not None else client.wire.connection.outbox.error
                assert told is not None
                assert told.code in ("session_expired", "session_taken_over")
                self.run(self.hang_up(client))

    @precondition(lambda self: self.power_losses < 3)
    @rule(seed=st.integers(0, 2**16))
    def lose_power(self, seed: int) -> None:
        """The server is gone with all it had in memory, and comes up with what is on the disk."""
        self.power_losses += 1
        self.run(self.restart(Random(seed)))

    async def restart(self, random: Random) -> None:
        for client in self.clients:
            for wire in (client.wire, client.replaced):
                if wire is not None:
                    await wire.drop()
            client.wire = client.replaced = None
        await self.boot(self.server.store.crash(random))

    @invariant()
    def the_log_holds_each_session_in_order_and_once(self) -> None:
        if not hasattr(self, "server"):
            return
        store = self.server.store
        for client in self.clients:
            stored = store.stored(client.name)
            durable = store.space.durable_sequence(client.name)
            assert [each.sequence for each in stored] == list(range(1, durable + 1))
            assert all(each.id.startswith(f"{client.name} {each.sequence} of ") for each in stored)
            assert client.acked <= durable
            for number, id in client.promised.items():
                assert stored[number - 1].id == id

    @invariant()
    def a_session_expects_what_follows_the_last_it_has(self) -> None:
        for client in self.clients:
            if client.wire is not None and client.is_open:
                session = client.wire.connection.opened()[0]
                in_flight = session.expected_sequence - 1 - session.durable_sequence
                assert 0 <= in_flight <= session.in_flight_count
                assert session.in_flight_count < IN_FLIGHT_COUNT_MAX + 4

    def teardown(self) -> None:
        """Whatever went before, a client that sends from the expected number gets through."""
        try:
            if hasattr(self, "server"):
                self.everybody_gets_through()
        finally:
            self.loop.run_until_complete(end_all_tasks())
            self.loop.close()
            self.executor.shutdown()
            self.server.store.close()

    def everybody_gets_through(self) -> None:
        self.server.store.storage.faults.pending.clear()
        for number, client in enumerate(self.clients):
            self.drain(number)
            first = self.server.store.space.durable_sequence(client.name) + 1
            assert self.opened(number).next == first
            client.observe(first, 3, Priority.NORMAL)
            self.drain(number)
            assert client.acked == first + 2
        self.the_log_holds_each_session_in_order_and_once()

    def connected(self, number: int) -> Client:
        """A client with a connection, which may still have to wait until its session is open."""
        client = self.clients[number]
        if client.wire is not None and client.wire.ended:
            self.run(self.hang_up(client))
        if client.wire is None:
            self.run(self.resume(client))
            if self.is_refused(client):
                # Another one has the session now. What was not answered is lost, and not in doubt; a new client begins.
                self.run(self.hang_up(client))
                client.forget()
                self.run(self.resume(client))
        return client

    def opened(self, number: int) -> Client:
        """A client whose session is open, once what was in flight is committed."""
        client = self.connected(number)
        for _ in range(100):
            if client.is_open:
                break
            self.server.store.commit()
            self.run()
        assert client.is_open
        return client

    def is_refused(self, client: Client) -> bool:
        error = client.wire.connection.outbox.error if client.wire is not None else None
        assert error is None or error.code == "session_taken_over", error
        return error is not None

    async def resume(self, client: Client) -> None:
        client.connect(self.server)

    def run(self, action: Awaitable[None] | None = None) -> None:
        """Do something on the event loop and wait for all that follows from it."""

        async def acting() -> None:
            if action is not None:
                await action
            for _ in range(TURNS):
                await asyncio.sleep(0)

        self.loop.run_until_complete(acting())
        for client in self.clients:
            client.listen(self.server.store)


async def end_all_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


TestSessions = SessionMachine.TestCase
TestSessions.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)

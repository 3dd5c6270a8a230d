"""WebSockets against the simplest model there is: of each session, the store holds 1, 2, 3, ..., in order, once each.

Clients send singles, batches and frames, repeat themselves, leave gaps, pause, send what nobody understands, ask beside
their sessions, lose their connections with data in flight, come back while the older connection is still there, and
crash and come back as others under the same session. Sockets, connections, the engine and its committer are the real
ones. Whatever happens: what was acked is stored once, what is refused is not stored, every error is the one that the
contract names, and every answer comes.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engram.model.spaces import SpaceConfig
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http.http_server import HttpServer
from engram.server.options import ServerOptions
from tests.doubles.metrics import connection_count
from tests.integration.server_process import vectors_of
from tests.integration.socket_client import SocketClient, open_socket

DIM: Final = 8
# Of the first two, each is a stranger to the other.
NAMES: Final = ("anna", "anna", "bert")
CLIENTS: Final = st.sampled_from(range(len(NAMES)))
FORMS: Final = st.sampled_from(["singles", "batch", "frame"])
# Only a server that hangs needs so long.
TIMEOUT_S: Final = 120.0
MALFORMED: Final = ("{", "[]", '{"type":"nothing"}', '{"type":"init","spaces":1}', '{"type":"heartbeat","x":1}')

T = TypeVar("T")


class Writer:
    """One client, what it sent under its numbers, and its connection if it has one."""

    _lives = itertools.count(1)

    def __init__(self, name: str) -> None:
        self.name = name
        self.socket: SocketClient | None = None
        self.opened = AsyncExitStack()
        self.forget()

    def forget(self) -> None:
        """Begin another life, which knows nothing but the id of the session."""
        self.life = next(self._lives)
        self.known: int | None = None
        self.next = 1
        self.is_paused = False
        # What it sent since it paused: nothing says yet whether it is stored.
        self.unanswered: list[str] = []

    def id(self, number: int) -> str:
        return f"{self.name} {number} of {self.life}"

    def messages(self, first: int, count: int, form: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """What it sends under these numbers: messages, each with the arrays of its frame if it is one."""
        ids = [self.id(number) for number in range(first, first + count)]
        vectors = vectors_of(ids, DIM)
        if form == "singles":
            return [
                ({"type": "observation", "sequence_number": first + n, "id": id, "vector": vectors[n].tolist()}, {})
                for n, id in enumerate(ids)
            ]
        batch = {"type": "observation_batch", "sequence_number": first, "ids": ids}
        return [(batch, {"vectors": vectors})] if form == "frame" else [({**batch, "vectors": vectors.tolist()}, {})]

    async def send(self, first: int, count: int, form: str) -> None:
        assert self.socket is not None
        for message, arrays in self.messages(first, count, form):
            if arrays:
                await self.socket.send_frame(message, **arrays)
            else:
                await self.socket.send(message)


class SocketMachine(RuleBasedStateMachine):
    """Three clients with two sessions in one space of one server."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.writers = [Writer(name) for name in NAMES]
        # What is stored of each session, by its numbers from 1 on.
        self.rows: dict[str, list[str]] = {name: [] for name in NAMES}
        # Who had the session last.
        self.owners: dict[str, int] = {}
        self.calls = itertools.count(1)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, TIMEOUT_S))

    @initialize()
    def start(self) -> None:
        self.run(self.boot())

    async def boot(self) -> None:
        self.engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM)))
        self.server = HttpServer(self.engine, ServerCalls(self.engine))
        await self.server.start("127.0.0.1", 0)

    @rule(client=CLIENTS, count=st.integers(1, 4), form=FORMS)
    def send_what_is_next(self, client: int, count: int, form: str) -> None:
        self.run(self.observe(client, count, form))

    async def observe(self, client: int, count: int, form: str) -> None:
        writer, socket = await self.connected(client)
        first = writer.next
        await writer.send(first, count, form)
        sent = [writer.id(number) for number in range(first, first + count)]
        writer.next += count
        if writer.is_paused:
            writer.unanswered += sent
        else:
            self.rows[writer.name] += sent
            ack = await socket.accepted(first + count - 1)
            assert ack["last_generation"] <= self.engine.store.space("default").generation
            writer.known = ack["last_sequence"]

    @rule(client=CLIENTS, count=st.integers(1, 4), form=FORMS)
    def send_again(self, client: int, count: int, form: str) -> None:
        """What is stored already is acked with its first generations, and not stored again."""
        self.run(self.repeat(client, count, form))

    async def repeat(self, client: int, count: int, form: str) -> None:
        writer, socket = await self.connected(client, flowing=True)
        count = min(count, writer.next - 1)
        if count:
            await writer.send(writer.next - count, count, form)
            await socket.accepted(writer.next - 1)

    @rule(client=CLIENTS, gap=st.integers(1, 3), form=FORMS)
    def leave_a_gap(self, client: int, gap: int, form: str) -> None:
        self.run(self.skip(client, gap, form))

    async def skip(self, client: int, gap: int, form: str) -> None:
        writer, socket = await self.connected(client, flowing=True)
        await writer.send(writer.next + gap, 1, form)
        rejected = await socket.read_until(type="ack", status="rejected")
        assert (rejected["first_sequence"], rejected["error"]["code"]) == (writer.next + gap, "sequence_gap")
        assert rejected["error"]["expected_sequence"] == writer.next

    @rule(client=CLIENTS)
    def pause(self, client: int) -> None:
        self.run(self.flow(client, "pause", "paused"))

    @rule(client=CLIENTS)
    def resume(self, client: int) -> None:
        self.run(self.connected(client, flowing=True))

    async def flow(self, client: int, action: str, state: str) -> None:
        writer, socket = await self.connected(client)
        if writer.is_paused != (action == "pause"):
            await socket.send({"type": "flow_control", "action": action})
            await socket.read_until(type="status", state=state)
            writer.is_paused = action == "pause"

    @rule(client=CLIENTS, text=st.sampled_from(MALFORMED))
    def send_what_is_not_understood(self, client: int, text: str) -> None:
        self.run(self.babble(client, text))

    async def babble(self, client: int, text: str) -> None:
        _, socket = await self.connected(client, flowing=True)
        await socket.send(text)
        error = await socket.read_until(type="error")
        assert error["code"] in ("malformed_message", "no_operation", "unknown_field")
        await socket.send_bytes(text.encode())
        assert (await socket.read_until(type="error"))["code"] == "malformed_message"

    @rule(client=CLIENTS)
    def ask_beside(self, client: int) -> None:
        """Calls are answered beside the session, and see what was acked."""
        self.run(self.ask(client))

    async def ask(self, client: int) -> None:
        writer, socket = await self.connected(client, flowing=True)
        number = next(self.calls)
        wrong = await socket.call("recall", number, space="default", vector=[1.0])
        assert (wrong["type"], wrong["code"]) == ("error", "dimension_mismatch")
        ids = self.rows[writer.name][-5:]
        if ids:
            found = await socket.call("get", number, space="default", ids=ids, include_vectors=True)
            assert [hit["id"] for hit in found["hits"]] == ids
            assert np.array_equal([hit["vector"] for hit in found["hits"]], vectors_of(ids, DIM))
            cue = vectors_of(ids[:1], DIM)[0].tolist()
            recalled = await socket.call("recall", number, space="default", vector=cue, k=1)
            assert [hit["id"] for hit in recalled["hits"]] == ids[:1]

    @rule(client=CLIENTS, count=st.integers(0, 6), form=FORMS, crashes=st.booleans())
    def be_cut_off(self, client: int, count: int, form: str, crashes: bool) -> None:
        """Send, and be gone before there is an answer; then come back, perhaps as another who knows nothing."""
        self.run(self.cut(client, count, form, crashes))

    async def cut(self, client: int, count: int, form: str, crashes: bool) -> None:
        writer, socket = await self.connected(client)
        first = writer.next
        if count:
            await writer.send(first, count, form)
        sent = [*writer.unanswered, *(writer.id(number) for number in range(first, first + count))]
        socket.socket.transport.abort()
        await self.hang_up(writer)
        if crashes:
            writer.forget()
        await self.open(writer, sent)

    @rule(client=CLIENTS)
    def come_twice(self, client: int) -> None:
        """The newer connection of a session wins, and the older is told."""
        self.run(self.take_over(client))

    async def take_over(self, client: int) -> None:
        writer, older = await self.connected(client, flowing=True)
        opened, writer.opened = writer.opened, AsyncExitStack()
        async with opened:
            await self.open(writer, [])
            assert await older.end() == (4400, "session_taken_over")

    @rule(client=CLIENTS, drains=st.booleans())
    def close(self, client: int, drains: bool) -> None:
        self.run(self.end_session(client, drains))

    async def end_session(self, client: int, drains: bool) -> None:
        writer, socket = await self.connected(client)
        await socket.send({"type": "close", "drain": drains, "last_sequence": writer.next - 1})
        closed = await socket.read_until(type="closed")
        assert closed == {"type": "closed", "sequence_number": writer.next - 1}
        assert await socket.end() == (1000, "")
        self.rows[writer.name] += writer.unanswered
        await self.hang_up(writer)
        writer.known = writer.next - 1

    @invariant()
    def each_row_is_stored_once(self) -> None:
        # What was sent while a session is paused is stored when it is resumed.
        if hasattr(self, "engine") and not any(writer.is_paused for writer in self.writers):
            space = self.engine.store.space("default")
            assert {name: space.durable_sequence(name) for name in self.rows} == {
                name: len(rows) for name, rows in self.rows.items()
            }
            assert space.generation == sum(map(len, self.rows.values()))

    async def connected(self, client: int, *, flowing: bool = False) -> tuple[Writer, SocketClient]:
        writer = self.writers[client]
        if writer.socket is None:
            # A stranger with the same session is on its own connection; this one takes the session from it.
            for other in self.writers:
                if other is not writer and other.name == writer.name and other.socket is not None:
                    await self.lose_session(other)
            await self.open(writer, [])
        if flowing and writer.is_paused:
            await self.flow(client, "resume", "active")
            assert writer.socket is not None
            if writer.unanswered:
                writer.known = (await writer.socket.accepted(writer.next - 1))["last_sequence"]
            self.rows[writer.name] += writer.unanswered
            writer.unanswered = []
        assert writer.socket is not None
        return writer, writer.socket

    async def lose_session(self, other: Writer) -> None:
        """Resume and leave, since whoever comes next is a stranger."""
        await self.connected(self.writers.index(other), flowing=True)
        await self.hang_up(other)

    async def open(self, writer: Writer, in_flight: list[str]) -> None:
        """Open the session on a new connection; of what was `in_flight`, the server may have a part, from its start."""
        rows = self.rows[writer.name]
        claim = {"session_id": writer.name, "writer": writer.life}
        claim |= {} if writer.known is None else {"known_sequence": writer.known}
        socket = await writer.opened.enter_async_context(open_socket(f"ws://127.0.0.1:{self.server.port}/v1/stream"))
        await socket.send({"type": "init", "space": "default", **claim})
        while (answer := await socket.read())["type"] not in ("init_ack", "error"):
            pass
        if answer["type"] == "error":
            # Another one has had its session, so its numbers may stand for something else.
            assert answer["code"] == "session_taken_over"
            assert self.owners[writer.name] != writer.life
            assert (await socket.end())[0] == 4400
            await self.hang_up(writer)
            writer.forget()
            await self.open(writer, in_flight)
            return
        self.owners[writer.name] = writer.life
        durable = answer["durable_sequence"]
        assert len(rows) <= durable <= len(rows) + len(in_flight)
        rows += in_flight[: durable - len(rows)]
        writer.socket, writer.known, writer.next, writer.is_paused = socket, durable, durable + 1, False

    async def hang_up(self, writer: Writer) -> None:
        writer.socket, writer.is_paused, writer.unanswered = None, False, []
        await writer.opened.aclose()

    def teardown(self) -> None:
        try:
            if hasattr(self, "engine"):
                self.run(self.end())
                assert asyncio.all_tasks(self.loop) == set()
        finally:
            self.loop.close()

    async def end(self) -> None:
        for client, _ in enumerate(self.writers):
            await self.observe(client, 2, "batch")
            await self.end_session(client, True)
        while connection_count(self.engine):  # noqa: ASYNC110 - There is no event for what sockets do.
            await asyncio.sleep(0)
        self.each_row_is_stored_once()
        await self.server.stop(0.0)
        await self.engine.close()
        # What was cancelled ends in the next turns of the loop.
        for _ in range(20):
            await asyncio.sleep(0)


TestSockets = SocketMachine.TestCase
TestSockets.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)

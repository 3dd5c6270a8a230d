"""One WebSocket over a real socket, with limits that are reached at once."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from engram.client import AsyncClient
from engram.errors import OverCapacity, PermissionDenied
from engram.model.operations.action import Action
from engram.model.spaces import SpaceConfig
from engram.server.authorization import Caller
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http import websocket_connection
from engram.server.http.http_server import HttpServer
from engram.server.options import ServerOptions
from engram.server.websocket import socket
from engram.server.websocket.limits import CALLS_MAX, SocketLimits
from engram.streaming.pressure import receiving
from engram.streaming.pressure.receiving import Arriving
from engram.streaming.sessions.connection import ConnectionLimits
from tests.doubles.metrics import connection_count
from tests.integration.server_process import DIM
from tests.integration.socket_client import SocketClient, observation, open_socket, some_vectors

# Only a failing test waits so long.
TIMEOUT_S = 60.0
SPACE = SpaceConfig("default", DIM)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[Engine, str]]:
    engine = Engine.open(ServerOptions(None, default_space=SPACE, **options))
    server = HttpServer(engine, ServerCalls(engine))
    await server.start("127.0.0.1", 0)
    try:
        yield engine, f"ws://127.0.0.1:{server.port}/v1/stream"
    finally:
        await asyncio.wait_for(server.stop(0.0), TIMEOUT_S)
        await engine.close()


def limit(monkeypatch: pytest.MonkeyPatch, **limits: Any) -> None:
    monkeypatch.setattr(socket, "_LIMITS", replace(SocketLimits(), **limits))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens on this event loop; every turn of it may bring it about."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 - There is no event for what sockets do.
            await asyncio.sleep(0)


async def test_a_heartbeat_is_sent_when_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, heartbeat_s=0.01)
    async with serving() as (_, url), open_socket(url) as client:
        for _ in range(3):
            assert await client.read() == {"type": "heartbeat"}
        opened = await client.init("default")
        assert opened["capabilities"]["heartbeat_s"] == 0.01


async def test_a_silent_client_is_closed_and_its_session_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as (_, url):
        limit(monkeypatch, silence_s=1.0)
        async with open_socket(url) as client:
            session = (await client.init("default"))["session_id"]
            await client.send(observation(1, "a"))
            await client.accepted(1)
            assert await client.end() == (4408, "the client is silent")
        limit(monkeypatch)
        async with open_socket(url) as client:
            assert (await client.init("default", session_id=session))["durable_sequence"] == 1


async def test_a_client_that_says_something_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, silence_s=3.0, heartbeat_s=0.05)
    async with serving() as (_, url), open_socket(url) as client:
        # As many as take longer together than the silence that is allowed.
        for _ in range(70):
            assert await client.read() == {"type": "heartbeat"}
            await client.send({"type": "heartbeat"})
        await client.init("default")


async def flood(client: SocketClient) -> None:
    """Ask for more than any buffer between here and there takes, and read nothing."""
    await client.send({"type": "observe", "id": 1, "ids": ["x"], "contents": ["x" * 60_000], "vectors": [[1.0] * DIM]})
    for id in range(1000, 1600):
        await client.send({"type": "get", "id": id, "ids": ["x"] * 10})


async def test_a_client_that_never_reads_is_closed_and_its_session_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, send_s=0.3)
    async with serving() as (engine, url):
        async with open_socket(url, max_queue=1) as client:
            session = (await client.init("default"))["session_id"]
            await client.send(observation(1, "a"))
            await client.accepted(1)
            flooding = asyncio.create_task(flood(client))
            await until(lambda: connection_count(engine) == 0)
            assert await client.end() == (4429, "the client does not read")
            await asyncio.gather(flooding, return_exceptions=True)
        limit(monkeypatch)
        async with open_socket(url) as client:
            assert (await client.init("default", session_id=session))["durable_sequence"] == 1


async def test_a_client_that_never_reads_its_close_either_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_connection, "UNREAD_CLOSE_S", 0.0)
    limit(monkeypatch, send_s=0.3)
    async with serving() as (engine, url), open_socket(url, max_queue=1) as client:
        await client.init("default")
        flooding = asyncio.create_task(flood(client))
        await until(lambda: connection_count(engine) == 0)
        code, _ = await client.end()
        assert code in (1006, 4429)
        await asyncio.gather(flooding, return_exceptions=True)


async def test_what_is_read_ahead_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, unread_count_max=2, unread_bytes_max=4096, joined_count_max=3)
    async with serving(connection=ConnectionLimits(in_flight_count_max=4)) as (_, url), open_socket(url) as client:
        await client.init("default")
        await client.send(*(observation(number, f"id-{number}") for number in range(1, 101)))
        await client.accepted(100)
        found = await client.call("get", 1, ids=[f"id-{number}" for number in range(1, 101)])
        assert [hit["generation"] for hit in found["hits"]] == list(range(1, 101))


async def test_priorities_and_kinds_of_vectors_are_not_joined() -> None:
    async with serving() as (_, url), open_socket(url) as client:
        await client.init("default")
        packed = base64.b64encode(bytes(range(1, 4 * DIM + 1)).replace(b"\xff", b"\x01")).decode()
        messages = [observation(number, f"id-{number}") for number in range(1, 10)]
        messages[2]["priority"] = "high"
        messages[4]["vector"] = packed
        messages[6] |= {"metadata": {"a": 1}, "tags": ["x"], "timestamp": 5}
        await client.send(*messages)
        await client.accepted(9)
        found = await client.call("get", 1, ids=["id-7", "id-8"])
        assert [hit["metadata"] for hit in found["hits"]] == [{"a": 1}, {}]
        assert found["hits"][0]["timestamp"] == "1970-01-01T00:00:05.000000Z"


def only(token: str) -> Callable[[Caller, Action, str | None], None]:
    def authorize(caller: Caller, action: Action, space: str | None) -> None:
        if caller.metadata.get("authorization") != f"Bearer {token}":
            raise PermissionDenied(f"{action.value} is not for you")
        assert "sec-websocket-protocol" not in caller.metadata

    return authorize


@pytest.mark.parametrize("token", ["secret", "a+b/c=?>", "x" * 200])
async def test_a_credential_may_come_as_a_subprotocol_or_as_a_header(token: str) -> None:
    packed = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    async with serving(authorizer=only(token)) as (_, url):
        async with open_socket(url, "engram.v1", f"engram.bearer.{packed}") as client:
            assert client.socket.subprotocol == "engram.v1"
            await client.init("default")
            assert (await client.call("spaces", 1))["type"] == "spaces_result"
        async with open_socket(url, additional_headers={"Authorization": f"Bearer {token}"}) as client:
            await client.init("default")
        async with open_socket(url, "engram.v1") as client:
            assert (await client.call("recall", 1, filter={}))["code"] == "permission_denied"
            await client.send({"type": "init"})
            assert (await client.read_until(type="error"))["code"] == "permission_denied"
            assert (await client.end())[0] == 4400


@pytest.mark.parametrize("offered", [["engram.bearer.a"], ["engram.bearer."], ["engram.bearer.YQ", "engram.bearer.Yg"]])
async def test_a_credential_that_is_none_is_refused_before_the_socket_opens(offered: list[str]) -> None:
    async with serving() as (_, url):
        with pytest.raises(InvalidStatus) as caught:
            async with open_socket(url, *offered):
                pass
        assert caught.value.response.status_code == 401
        assert caught.value.response.body is not None
        assert json.loads(caught.value.response.body)["code"] == "unauthenticated"


async def test_pages_of_other_sites_are_refused() -> None:
    async with serving() as (_, url):
        with pytest.raises(InvalidStatus) as caught:
            async with open_socket(url, origin="https://evil.example"):
                pass
        assert caught.value.response.status_code == 403


async def test_what_fails_inside_is_told_without_its_details(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as (engine, url), open_socket(url) as client:

        def fail(*arguments: Any, **named: Any) -> None:
            raise ZeroDivisionError("a secret of the inside")

        monkeypatch.setattr(engine.ingest, "prepare", fail)
        monkeypatch.setattr(engine.recalls, "answer", fail)
        answer = await client.call("recall", 1, filter={})
        assert (answer["code"], answer["kind"]) == ("internal", "internal")
        await client.init("default")
        await client.send(observation(1, "a"))
        assert (await client.read_until(type="error"))["code"] == "internal"
        assert (await client.end())[0] == 4400
        assert "secret" not in json.dumps(client.seen)


async def test_counters_return_to_where_they_were() -> None:
    async with serving() as (engine, url):
        for _ in range(3):
            async with open_socket(url) as client:
                await client.init("default")
                await client.send({"type": "recall_stream", "id": 1, "filter": {}, "follow": True})
                await client.read_until(id=1)
        await until(lambda: connection_count(engine) == 0 and engine.recalls.streams == 0)


async def test_calls_of_a_client_that_is_gone_do_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = 0

    async def answer(*arguments: Any) -> Any:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()

    async with serving() as (engine, url):
        async with open_socket(url) as client:
            await client.init("default")
            monkeypatch.setattr(ServerCalls, "answer", answer)
            await client.send(*({"type": "get", "id": id, "ids": ["x"]} for id in range(CALLS_MAX + 8)))
            await client.send(observation(1, "a"))
            await until(lambda: begun == CALLS_MAX)
            client.socket.transport.abort()
        await until(lambda: connection_count(engine) == 0)
        assert begun == CALLS_MAX
        # What came behind them is stored.
        await until(lambda: engine.store.space("default").generation == 1)


async def test_a_client_comes_back_when_there_was_no_room_and_stores_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_RETRY_AFTER_MS", 1)
    hold, refused = Arriving.hold, 0
    ids = [f"id-{number:0500}" for number in range(4000)]
    async with serving() as (engine, url), AsyncClient(url, timeout_s=TIMEOUT_S) as client:

        def full_for_a_while(arriving: Arriving, nbytes: int) -> None:
            nonlocal refused
            try:
                hold(arriving, nbytes)
            except OverCapacity:
                refused += 1
                engine.receiving.nbytes = 0 if refused % 3 == 0 else engine.receiving.bytes_max
                raise

        monkeypatch.setattr(Arriving, "hold", full_for_a_while)
        engine.receiving.nbytes = engine.receiving.bytes_max
        await client.observe(ids, some_vectors(len(ids)))
        assert (refused, engine.store.space("default").generation) == (3, len(ids))
        engine.receiving.nbytes = engine.receiving.bytes_max
        assert await client.delete(ids) == len(ids)
        assert (refused, engine.receiving.nbytes) == (6, 0)

"""The transport over WebSocket against a server whose answers the test writes: calls, losses, and what is no server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from engram.client.websocket import calls as calls_module
from engram.client.websocket.transport import WebSocketTransport
from engram.errors import (
    EngramError,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    OverCapacity,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from engram.model.cue import Cue
from engram.model.operations.requests import Delete, StreamRecall, TakeSnapshot
from engram.model.query import RecallQuery
from tests.unit.client.websocket.scripted_server import (
    TIMEOUT_S,
    ScriptedSocket,
    error_of,
    made,
    raw_server,
    scripted,
)

ASK = TakeSnapshot("default")
STREAM = StreamRecall("default", RecallQuery(Cue(np.ones(8))))


async def in_order(socket: ScriptedSocket) -> None:
    """Answers every snapshot with a generation that is the number of the call."""
    while True:
        call = await socket.read()
        if call["type"] == "snapshot":
            await socket.answer(call, generation=call["id"])


# ---- calls -----------------------------------------------------------------------------------------------------


async def test_calls_share_a_connection_and_find_their_answers() -> None:
    async def backwards(socket: ScriptedSocket) -> None:
        asked = [await socket.read() for _ in range(5)]
        for call in reversed(asked):
            await socket.answer(call, generation=100 + call["id"])
        await socket.socket.wait_closed()

    async with scripted(backwards) as server:
        transport = made(server.address)
        taken = await asyncio.gather(*(transport.call(ASK, TIMEOUT_S) for _ in range(5)))
        assert [each.generation for each in taken] == [101, 102, 103, 104, 105]
        await transport.close()
        assert (len(server.headers), server.paths) == (1, ["/v1/stream"])
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_metadata_are_headers_and_nothing_is_compressed() -> None:
    async with scripted(in_order) as server:
        transport = WebSocketTransport(server.address, {"authorization": "Bearer x", "x-trace": "7"})
        await transport.call(ASK, TIMEOUT_S)
        await transport.close()
    headers = server.headers[0]
    assert (headers["authorization"], headers["x-trace"]) == ("Bearer x", "7")
    assert "sec-websocket-extensions" not in headers
    assert "origin" not in headers


@pytest.mark.parametrize("name", ["host", "connection", "upgrade", "sec-websocket-key", "origin"])
def test_headers_of_http_are_no_metadata(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        WebSocketTransport("ws://localhost:1", {name: "x"})
    assert refusal.value.code == "invalid_call_metadata"


async def test_a_call_that_is_given_up_is_ended_on_the_server_and_its_late_answer_dropped() -> None:
    asked = asyncio.Event()
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def slow(socket: ScriptedSocket) -> None:
        call = await socket.read()
        asked.set()
        end = await socket.read()
        ended.set_result(end["id"] if end["type"] == "cancel" else 0)
        await socket.answer(call, generation=1)
        await socket.send(type="error", id=call["id"], code="cancelled", kind="failed_precondition", message="")
        await in_order(socket)

    async with scripted(slow) as server:
        transport = made(server.address)
        calling = asyncio.ensure_future(transport.call(ASK, TIMEOUT_S))
        await asyncio.wait_for(asked.wait(), TIMEOUT_S)
        calling.cancel()
        assert await asyncio.wait_for(ended, TIMEOUT_S) == 1
        assert (await transport.call(ASK, TIMEOUT_S)).generation == 2
        await transport.close()
        assert len(server.headers) == 1


async def test_a_call_ends_in_time_even_if_nobody_answers() -> None:
    async def silent(socket: ScriptedSocket) -> None:
        await socket.socket.wait_closed()

    async with scripted(silent) as server:
        transport = made(server.address)
        with pytest.raises(TimeoutError):
            await transport.call(ASK, 0.05)
        assert transport.no_answer().code == "no_server"
        await transport.close()


async def test_no_more_calls_are_under_way_than_a_server_reads() -> None:
    most = 0

    async def counting(socket: ScriptedSocket) -> None:
        nonlocal most
        waiting: list[dict[str, Any]] = []
        while True:
            try:
                async with asyncio.timeout(0.2):
                    waiting.append(json.loads(await socket.socket.recv()))
            except TimeoutError:
                most = max(most, len(waiting))
                for call in waiting:
                    await socket.answer(call, generation=call["id"])
                waiting = []

    async with scripted(counting) as server:
        transport = made(server.address)
        taken = await asyncio.gather(*(transport.call(ASK, TIMEOUT_S) for _ in range(70)))
        assert sorted(each.generation for each in taken) == list(range(1, 71))
        await transport.close()
    assert 1 < most <= calls_module.CALLS_MAX


async def test_an_error_of_the_server_is_the_error_of_the_call() -> None:
    async def refusing(socket: ScriptedSocket) -> None:
        call = await socket.read()
        await socket.send(
            type="error",
            id=call["id"],
            kind="not_found",
            code="unknown_space",
            message="none",
            field="space",
            value="x",
        )
        await socket.socket.wait_closed()

    async with scripted(refusing) as server:
        transport = made(server.address)
        error = await error_of(transport.call(ASK, TIMEOUT_S))
        assert (type(error), error.code, error.field, error.value) == (NotFound, "unknown_space", "space", "x")
        await transport.close()


@pytest.mark.parametrize(
    "answer",
    ['{"type":"snapshot_result","id":1}', '{"type":"snapshot_result","id":1,"generation":"x"}', "[]", "{", b"\x01"],
)
async def test_an_answer_that_cannot_be_read_is_said_to_be_one(answer: str | bytes) -> None:
    async def nonsense(socket: ScriptedSocket) -> None:
        await socket.read()
        await socket.socket.send(answer)
        await socket.socket.wait_closed()

    async with scripted(nonsense, in_order) as server:
        transport = made(server.address)
        error = await error_of(transport.call(ASK, TIMEOUT_S))
        assert isinstance(error, EngramError)
        assert error.code in ("unexpected_response", "malformed_message")
        await transport.close()


async def test_what_is_under_way_when_the_client_is_closed_fails_and_is_not_tried_again() -> None:
    asked = asyncio.Event()

    async def silent(socket: ScriptedSocket) -> None:
        await socket.read()
        asked.set()
        await socket.socket.wait_closed()

    async with scripted(silent) as server:
        transport = made(server.address)
        calling = asyncio.ensure_future(transport.call(ASK, TIMEOUT_S))
        await asyncio.wait_for(asked.wait(), TIMEOUT_S)
        await transport.close()
        await transport.close()
        for call in (calling, transport.call(ASK, TIMEOUT_S), transport.stream(STREAM).read()):
            error = await error_of(call)
            assert (type(error), error.code, error.is_transient) == (FailedPrecondition, "client_closed", False)
        assert len(server.headers) == 1


async def test_what_waits_for_a_connection_when_the_client_is_closed_waits_no_longer() -> None:
    taken = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    async with server:
        transport = made(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        # The second call waits for the connection of the first.
        works = (transport.call(ASK, TIMEOUT_S), transport.call(ASK, TIMEOUT_S), transport.stream(STREAM).read())
        waiting = [asyncio.ensure_future(work) for work in works]
        await asyncio.wait_for(taken.wait(), TIMEOUT_S)
        await transport.close()
        ended, _ = await asyncio.wait(waiting, timeout=TIMEOUT_S)
        assert ended == set(waiting)
        # A client makes of a call that nobody but its transport has cancelled that the client was closed.
        assert [each.cancelled() or each.exception().code for each in waiting] == [True, "client_closed", True]  # type: ignore[union-attr]
    assert asyncio.all_tasks() == {asyncio.current_task()}


# ---- losses ----------------------------------------------------------------------------------------------------


async def drop(socket: ScriptedSocket) -> None:
    await socket.read()
    socket.socket.transport.abort()


async def test_after_a_loss_the_call_fails_and_the_next_one_connects_again() -> None:
    async with scripted(drop, in_order) as server:
        transport = made(server.address)
        error = await error_of(transport.call(ASK, TIMEOUT_S))
        assert (type(error), error.code, error.is_transient) == (Unavailable, "no_server", True)
        assert (await transport.call(ASK, TIMEOUT_S)).generation == 1
        await transport.close()
        assert len(server.headers) == 2


@pytest.mark.parametrize(
    ("code", "reason", "kind", "expected"),
    [
        (1001, '{"code":"shutting_down","retry_after_ms":1500}', Unavailable, "shutting_down"),
        (1001, "not JSON", Unavailable, "shutting_down"),
        (1000, "", Unavailable, "stream_ended"),
        (1008, "no", PermissionDenied, "permission_denied"),
        (1009, "large", InvalidInput, "message_bytes"),
        (1013, '{"code":"unfinished_bytes","retry_after_ms":1500}', OverCapacity, "unfinished_bytes"),
        (1013, "busy", OverCapacity, "over_capacity"),
        (4400, "log_failed", EngramError, "log_failed"),
        (4408, "the client is silent", Unavailable, "stream_ended"),
        (4429, "the client does not read", OverCapacity, "stream_ended"),
    ],
)
async def test_a_close_says_why(code: int, reason: str, kind: type[EngramError], expected: str) -> None:
    async def closing(socket: ScriptedSocket) -> None:
        await socket.read()
        await socket.socket.close(code, reason)

    async with scripted(closing) as server:
        transport = made(server.address)
        error = await error_of(transport.call(ASK, TIMEOUT_S))
        assert (type(error), error.code) == (kind, expected)
        assert "{" not in error.message
        if "retry" in reason:
            assert error.retry_after_ms == 1500
        await transport.close()


async def test_what_was_said_before_a_close_says_more() -> None:
    async def failing(socket: ScriptedSocket) -> None:
        await socket.read()
        await socket.send(type="error", kind="corrupt_data", code="log_damaged", message="page 3")
        await socket.socket.close(4400, "log_damaged")

    async with scripted(failing) as server:
        transport = made(server.address)
        assert (await error_of(transport.call(ASK, TIMEOUT_S))).message == "page 3"
        await transport.close()


async def test_what_is_said_beside_all_calls_fails_none_of_them() -> None:
    async def complaining(socket: ScriptedSocket) -> None:
        calls = [await socket.read() for _ in range(3)]
        await socket.send(type="error", kind="invalid_input", code="malformed_message", message="what was that?")
        for call in calls:
            await socket.answer(call, generation=call["id"])
        await socket.read()
        await socket.socket.close(1001, "{}")

    async with scripted(complaining) as server:
        transport = made(server.address)
        taken = await asyncio.gather(*(transport.call(ASK, TIMEOUT_S) for _ in range(3)))
        assert [each.generation for each in taken] == [1, 2, 3]
        # Nor is it taken for the reason of an end that has another one.
        assert (await error_of(transport.call(ASK, TIMEOUT_S))).code == "shutting_down"
        await transport.close()


async def test_a_silent_server_is_found_out_and_a_quiet_client_is_heard() -> None:
    heard: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    codes: list[int | None] = []

    async def silent(socket: ScriptedSocket) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = json.loads(await socket.socket.recv())
                if message["type"] == "heartbeat" and not heard.done():
                    heard.set_result(message)
        codes.append(socket.socket.close_code)

    async with scripted(silent) as server:
        transport = made(server.address, interval_s=0.01, silence_s=0.5)
        error = await error_of(transport.call(ASK, TIMEOUT_S))
        assert (type(error), error.code) == (Unavailable, "no_server")
        assert await heard == {"type": "heartbeat"}
        await transport.close()
    # It is told why, in case that it hears.
    assert codes == [4408]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_message_that_is_too_large_is_refused_before_it_is_sent() -> None:
    transport = made("ws://127.0.0.1:1")
    async with scripted(in_order) as server:
        transport = made(server.address)
        error = await error_of(transport.call(Delete("default", ["x" * 6000] * 10_000), TIMEOUT_S))
        assert (type(error), error.code) == (InvalidInput, "message_bytes")
        assert (await transport.call(ASK, TIMEOUT_S)).generation == 2
        await transport.close()


# ---- what is no server -----------------------------------------------------------------------------------------

PROBLEM = json.dumps({"code": "unauthenticated", "kind": "unauthenticated", "detail": "send a token", "field": "a"})


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (b"", Unavailable, "no_server"),
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\r\n", Unavailable, "not_engram"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", Unavailable, "not_engram"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Unavailable, "not_engram"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Unavailable, "not_engram"),
        (b"SSH-2.0-OpenSSH_9\r\n", Unavailable, "not_engram"),
        (
            f"HTTP/1.1 401 Unauthorized\r\nContent-Length: {len(PROBLEM)}\r\n\r\n{PROBLEM}".encode(),
            Unauthenticated,
            "unauthenticated",
        ),
    ],
)
async def test_what_answers_otherwise_is_named(answer: bytes, kind: type[EngramError], code: str) -> None:
    async with raw_server(answer) as address:
        transport = made(address)
        error = await error_of(transport.call(ASK, TIMEOUT_S))
        assert (type(error), error.code) == (kind, code)
        if kind is Unavailable:
            assert (error.field, error.value) == ("address", address)
        else:
            assert error.message == "send a token"
        await transport.close()


async def test_a_server_without_tls_is_none_for_wss() -> None:
    async with scripted(in_order) as server:
        transport = made(server.address.replace("ws://", "wss://"))
        error = await error_of(transport.call(ASK, TIMEOUT_S))
        assert (error.code, "TLS" in error.message) == ("no_server", True), error.message


async def test_a_host_without_a_name_is_no_server() -> None:
    error = await error_of(made("ws://nowhere.invalid:1").call(ASK, TIMEOUT_S))
    assert (type(error), error.code) == (Unavailable, "no_server")


# ---- event loops -----------------------------------------------------------------------------------------------


def test_a_transport_goes_on_on_another_event_loop() -> None:
    transport: list[WebSocketTransport] = []

    async def use() -> int:
        async with scripted(in_order) as server:
            # The address of the first server would not be that of the second one.
            transport[:] = transport or [made(server.address)]
            transport[0]._address = made(server.address)._address
            return (await transport[0].call(ASK, TIMEOUT_S)).generation

    # Neither run closes it; the connection ends with its event loop, and no warning says otherwise.
    assert [asyncio.run(use()), asyncio.run(use())] == [1, 1]

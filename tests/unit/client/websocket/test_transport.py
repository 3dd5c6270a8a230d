"""The transport over WebSocket against a server whose answers the test writes: calls, losses, and what is no server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest

from engram.client.transport import Closed, Greeting
from engram.client.websocket import calls as calls_module
from engram.client.websocket.socket import Heartbeats
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
from engram.wire.frames import encode_frame
from tests.unit.client.websocket.scripted_server import (
    TIMEOUT_S,
    ScriptedSocket,
    raw_server,
    scripted,
)

ASK = TakeSnapshot("default")
STREAM = StreamRecall("default", RecallQuery(Cue(np.ones(8))))


def made(address: str, **heartbeats: float) -> WebSocketTransport:
    return WebSocketTransport(address, {}, Heartbeats(**heartbeats) if heartbeats else None)


async def error_of(call: Any) -> EngramError:
    with pytest.raises(EngramError) as caught:
        async with asyncio.timeout(TIMEOUT_S):
            await call
    return caught.value


async def in_order(socket: ScriptedSocket) -> None:
    """Answers every snapshot with a generation that is the number of the call."""
    while True:
        call = await socket.read()
        if call["type"] == "snapshot":
            await socket.answer(call, generation=call["id"])


def batch_frame(id: int, ids: list[str], *, more: bool, content: str = "") -> bytes:
    count = len(ids)
    arrays: dict[str, Any] = {
        name: np.zeros(count, kind)
        for name, kind in (
            ("scores", "f4"),
            ("confidences", "f4"),
            ("generations", "i8"),
            ("timestamps", "i8"),
            ("importances", "f4"),
            ("ages_s", "f8"),
            ("flags", "u1"),
        )
    }
    header = {"type": "recall_result", "id": id, "ids": ids, "contents": [content] * count, "metadata": [None] * count}
    return encode_frame({**header, "tags": [[]] * count, "generation": 7, "incomplete": False, "more": more}, arrays)


# ---- calls -------------------------------------------------------------------------------------------------------


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
        for call in (calling, transport.call(ASK, TIMEOUT_S), transport.recall(STREAM).read()):
            error = await error_of(call)
            assert (type(error), error.code, error.is_transient) == (FailedPrecondition, "client_closed", False)
        assert len(server.headers) == 1


# ---- losses ------------------------------------------------------------------------------------------------------


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


async def test_a_silent_server_is_found_out_and_a_quiet_client_is_heard() -> None:
    heard: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def silent(socket: ScriptedSocket) -> None:
        while (message := json.loads(await socket.socket.recv()))["type"] != "heartbeat":
            pass
        heard.set_result(message)
        await socket.socket.wait_closed()

    async with scripted(silent) as server:
        transport = made(server.address, interval_s=0.01, silence_s=0.5)
        error = await error_of(transport.call(ASK, TIMEOUT_S))
        assert (type(error), error.code) == (Unavailable, "no_server")
        assert await heard == {"type": "heartbeat"}
        await transport.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_message_that_is_too_large_is_refused_before_it_is_sent() -> None:
    transport = made("ws://127.0.0.1:1")
    async with scripted(in_order) as server:
        transport = made(server.address)
        error = await error_of(transport.call(Delete("default", ["x" * 6000] * 10_000), TIMEOUT_S))
        assert (type(error), error.code) == (InvalidInput, "message_bytes")
        assert (await transport.call(ASK, TIMEOUT_S)).generation == 2
        await transport.close()


# ---- what is no server -------------------------------------------------------------------------------------------

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


# ---- streamed recalls --------------------------------------------------------------------------------------------


async def streaming(socket: ScriptedSocket) -> None:
    """Answers each streamed recall with three batches."""
    while True:
        call = await socket.read()
        if call["type"] == "recall_stream":
            for number in range(3):
                await socket.socket.send(batch_frame(call["id"], [f"{call['id']}-{number}"], more=number < 2))


async def read_all(recall: Any) -> list[str]:
    found = []
    async with asyncio.timeout(TIMEOUT_S):
        while (batch := await recall.read()) is not None:
            found += [hit.id for hit in batch.hits]
    return found


async def test_streams_one_after_the_other_share_a_connection_and_beside_each_other_do_not() -> None:
    async with scripted(streaming) as server:
        transport = made(server.address)
        assert await read_all(transport.recall(STREAM)) == ["1-0", "1-1", "1-2"]
        assert await read_all(transport.recall(STREAM)) == ["2-0", "2-1", "2-2"]
        assert len(server.headers) == 1
        first, second = transport.recall(STREAM), transport.recall(STREAM)
        assert (await first.read()).hits[0].id == "3-0"  # type: ignore[union-attr]
        assert (await second.read()).hits[0].id == "1-0"  # type: ignore[union-attr]
        assert len(server.headers) == 2
        first.cancel()
        first.cancel()
        assert await first.read() is None
        assert await read_all(second) == ["1-1", "1-2"]
        await transport.close()


async def test_a_stream_that_is_not_read_holds_the_server_back_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls_module, "_UNREAD_BYTES_MAX", 100_000)
    count, sent = 400, 0

    async def many(socket: ScriptedSocket) -> None:
        nonlocal sent
        call = await socket.read()
        for sent in range(1, count + 1):
            await socket.socket.send(batch_frame(call["id"], [str(sent)], more=sent < count, content="x" * 64_000))
        await socket.socket.wait_closed()

    async with scripted(many) as server:
        transport = made(server.address)
        recall = transport.recall(STREAM)
        assert (await recall.read()) is not None
        # Whoever sends is held back when nobody reads: then the number stands still.
        seen = -1
        while seen != sent:
            seen = sent
            for _ in range(1000):
                await asyncio.sleep(0)
        assert sent < count
        assert await read_all(recall) == [str(number) for number in range(2, count + 1)]
        await transport.close()


async def test_a_stream_ends_with_the_error_of_its_connection() -> None:
    async def half(socket: ScriptedSocket) -> None:
        call = await socket.read()
        await socket.socket.send(batch_frame(call["id"], ["a"], more=True))
        socket.socket.transport.close()

    async with scripted(half) as server:
        transport = made(server.address)
        recall = transport.recall(STREAM)
        assert (await recall.read()) is not None
        assert (await error_of(recall.read())).code == "no_server"
        assert await recall.read() is None
        await transport.close()


# ---- sessions ----------------------------------------------------------------------------------------------------


async def test_a_session_is_opened_used_and_closed() -> None:
    asked: list[dict[str, Any]] = []

    async def session(socket: ScriptedSocket) -> None:
        asked.append(await socket.read())
        await socket.send(type="heartbeat")
        await socket.send(
            type="init_ack", session_id="s", durable_sequence=4, generation=9, incarnation="i",
            capabilities={"queue_capacity": 5}, something_new=1,
        )  # fmt: skip
        asked.append(await socket.read())
        await socket.send(type="a later server's message")
        await socket.send(type="closed", sequence_number=4)
        await socket.socket.close()

    async with scripted(session) as server:
        transport = made(server.address)
        stream, welcome = await transport.observe(Greeting("notes", "s", 17, 3, "i"))
        assert (welcome.session_id, welcome.durable_sequence, welcome.generation, welcome.queue_capacity) == (
            "s", 4, 9, 5,
        )  # fmt: skip
        await stream.close_session(4)
        assert await stream.receive() == Closed()
        assert (await error_of(stream.receive())).code == "stream_ended"
        await stream.abort()
    assert asked[0] == {
        "type": "init", "space": "notes", "session_id": "s", "incarnation": "i", "writer": 17, "known_sequence": 3,
    }  # fmt: skip
    assert asked[1] == {"type": "close", "drain": True, "last_sequence": 4}
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_session_that_is_refused_is_not_left_open() -> None:
    async def refusing(socket: ScriptedSocket) -> None:
        await socket.read()
        await socket.send(type="error", kind="failed_precondition", code="session_taken_over", message="gone")
        await socket.socket.wait_closed()

    async with scripted(refusing) as server:
        error = await error_of(made(server.address).observe(Greeting("notes")))
        assert (type(error), error.code) == (FailedPrecondition, "session_taken_over")


# ---- event loops -------------------------------------------------------------------------------------------------


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

"""A WebSocket's connection by itself: what opens none, what no WebSocket has, and clients that take nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from engram.model.limits import MESSAGE_BYTES_MAX
from engram.server.http import websocket_connection
from engram.server.http.websocket_connection import WebSocketConnection
from engram.streaming.pressure.receiving import UNCOUNTED_BYTES, ReceiveBudget
from tests.doubles.line import Line

OPENING = (
    b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CLOSE = (1000).to_bytes(2, "big")


def sent(opcode: Opcode, data: bytes = b"", *, is_last: bool = True) -> bytes:
    return Frame(opcode, data, is_last).serialize(mask=True)


class Socket:
    """One WebSocket without a socket, and what its application sees."""

    def __init__(self) -> None:
        self.may_accept = asyncio.Event()
        self.seen: list[Message] = []
        self.failure: BaseException | None = None
        config = Config(self.serve, lifespan="off", log_config=None, interface="asgi3", ws_max_size=MESSAGE_BYTES_MAX)
        config.load()
        self.receiving = ReceiveBudget(1000)
        self.connection = WebSocketConnection(config, ServerState(), {}, receiving=self.receiving)
        self.line = Line()
        self.connection.connection_made(self.line)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await self.may_accept.wait()
        try:
            await send({"type": "websocket.accept"})
        except OSError as error:
            self.failure = error
            return
        while not self.seen or self.seen[-1]["type"] != "websocket.disconnect":
            self.seen.append(await receive())

    async def receive(self, *parts: bytes) -> None:
        for part in parts:
            self.connection.data_received(part)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def lose(self) -> None:
        self.connection.connection_lost(None)


async def opened() -> Socket:
    socket = Socket()
    socket.may_accept.set()
    await socket.receive(OPENING)
    assert socket.line.answers() == [101]
    socket.line.written = b""
    return socket


def with_header(name: str, value: str) -> bytes:
    return OPENING[:-2] + f"{name}: {value}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("opening", "status", "code"),
    [
        (with_header("X", "y" * 9000), 431, "header_bytes"),
        (OPENING.replace(b"stream", b"s" * 9000), 431, "header_bytes"),
        (OPENING[:-2] + b"X: y\r\n" * 200 + b"\r\n", 431, "header_bytes"),
        (with_header("Content-Length", "5"), 400, "malformed_request"),
        (OPENING.replace(b"GET", b"POST"), 400, "malformed_request"),
        (OPENING.replace(b"Version: 13", b"Version: 12"), 400, "malformed_request"),
        (OPENING.replace(b"dGhl", b"d"), 400, "malformed_request"),
        (with_header("Sec-WebSocket-Protocol", "a b;;"), 400, "malformed_request"),
    ],
)
async def test_what_opens_no_websocket_is_one_typed_refusal(opening: bytes, status: int, code: str) -> None:
    socket = Socket()
    await socket.receive(opening, sent(Opcode.TEXT, b"{}"))
    assert (socket.line.answers(), socket.line.code()) == ([status], code)
    assert b"content-type: application/problem+json" in socket.line.written
    assert socket.line.is_closed
    socket.lose()


async def test_what_comes_before_the_answer_and_is_no_frame_refuses_the_opening(
    caplog: pytest.LogCaptureFixture,
) -> None:
    socket = Socket()
    await socket.receive(OPENING)
    await socket.receive(b"\xff" * 8, b"more")
    assert (socket.line.answers(), socket.line.code(), socket.line.is_closed) == ([400], "malformed_request", True)
    socket.may_accept.set()
    await socket.settle()
    assert isinstance(socket.failure, OSError)
    socket.lose()
    assert caplog.text == ""


async def test_what_comes_before_the_answer_and_is_a_frame_is_read() -> None:
    socket = Socket()
    await socket.receive(OPENING, sent(Opcode.TEXT, b"{}"))
    socket.may_accept.set()
    await socket.settle()
    assert socket.seen == [{"type": "websocket.receive", "text": "{}"}]
    socket.lose()
    await socket.settle()


BAD_TEXT = sent(Opcode.TEXT, b"\xff\xfe")


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ([BAD_TEXT], 1007),
        ([BAD_TEXT + BAD_TEXT], 1007),
        ([sent(Opcode.TEXT, b"\xe2", is_last=False) + sent(Opcode.CONT, b"\x82")], 1007),
        # A client that has closed has its answer.
        ([BAD_TEXT + sent(Opcode.CLOSE, CLOSE)], 1000),
        ([BAD_TEXT + sent(Opcode.TEXT, b"{}") + sent(Opcode.PING)], 1007),
    ],
)
async def test_a_text_that_is_none_ends_its_connection_and_is_no_error_of_the_server(
    caplog: pytest.LogCaptureFixture, parts: list[bytes], answer: int
) -> None:
    socket = await opened()
    await socket.receive(*parts)
    assert answer.to_bytes(2, "big") in socket.line.written
    assert [each["type"] for each in socket.seen] == ["websocket.disconnect"]
    assert socket.line.is_closed
    socket.lose()
    assert caplog.text == ""


async def test_a_text_in_pieces_is_one_text_wherever_it_was_cut() -> None:
    socket = await opened()
    wave = "🌊".encode()
    await socket.receive(sent(Opcode.TEXT, wave[:1], is_last=False) + sent(Opcode.CONT, wave[1:]))
    await socket.receive(sent(Opcode.BINARY, b"a", is_last=False) + sent(Opcode.PING) + sent(Opcode.CONT, b"b"))
    assert socket.seen == [{"type": "websocket.receive", "text": "🌊"}, {"type": "websocket.receive", "bytes": b"ab"}]
    socket.lose()
    await socket.settle()


async def test_a_message_of_too_many_pieces_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_connection, "FRAGMENTS_MAX", 5)
    monkeypatch.setattr(websocket_connection, "UNREAD_CLOSE_S", 0.0)
    socket = await opened()
    for first in (sent(Opcode.BINARY, b"", is_last=False), sent(Opcode.TEXT, b"", is_last=False)):
        await socket.receive(first + sent(Opcode.CONT, b"", is_last=False) * 3 + sent(Opcode.CONT))
    assert len(socket.seen) == 2
    await socket.receive(sent(Opcode.BINARY, b"", is_last=False) + sent(Opcode.CONT, b"", is_last=False) * 100)
    assert (1009).to_bytes(2, "big") in socket.line.written
    assert (socket.seen[-1]["type"], socket.line.is_closed) == ("websocket.disconnect", True)
    assert socket.connection.frames == []
    socket.lose()


async def test_a_message_that_is_too_large_is_refused_with_its_first_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_connection, "UNREAD_CLOSE_S", 0.0)
    socket = await opened()
    size = (MESSAGE_BYTES_MAX + 1).to_bytes(8, "big")
    socket.connection.data_received(b"\x82\xff" + size + bytes(4))
    assert (1009).to_bytes(2, "big") in socket.line.written
    socket.connection.data_received(bytes(1000))
    assert (socket.line.is_closed, len(socket.connection.conn.reader.buffer)) == (False, 0)
    await socket.settle()
    assert (socket.seen[-1]["type"], socket.line.is_closed) == ("websocket.disconnect", True)
    socket.lose()


@pytest.mark.parametrize("ways", [1, 300])
async def test_a_message_for_which_there_is_no_room_is_refused_for_now(
    monkeypatch: pytest.MonkeyPatch, ways: int
) -> None:
    monkeypatch.setattr(websocket_connection, "UNREAD_CLOSE_S", 0.0)
    socket = await opened()
    data = bytes(UNCOUNTED_BYTES + 900 - 64 * ways)
    parts = [data[start::ways] for start in range(ways)]
    frames = [
        sent(Opcode.CONT if number else Opcode.BINARY, part, is_last=number == ways - 1)
        for number, part in enumerate(parts)
    ]
    # A whole one leaves its room to the next.
    for _ in range(3):
        await socket.receive(*frames[:-1], frames[-1][:-1])
        assert socket.receiving.nbytes > 0
        await socket.receive(frames[-1][-1:])
        assert (socket.receiving.nbytes, socket.seen[-1]["bytes"]) == (0, b"".join(parts))
    socket.receiving.nbytes = 500
    for part in (*frames[:-1], frames[-1][:-1]):
        socket.connection.data_received(part)
    assert (1013).to_bytes(2, "big") + b'{"code":"unfinished_bytes","retry_after_ms":1000}' in socket.line.written
    assert (socket.receiving.nbytes, socket.connection.frames) == (500, [])
    # What is on its way is passed over, so that the reason is read, and that has an end.
    socket.connection.data_received(bytes(2 * UNCOUNTED_BYTES))
    assert (socket.receiving.nbytes, socket.line.is_closed) == (500, False)
    await socket.settle()
    assert (socket.seen[-1]["type"], socket.line.is_closed) == ("websocket.disconnect", True)
    socket.lose()
    assert socket.receiving.nbytes == 500


async def test_who_sends_nothing_more_gets_what_was_written_in_this_turn() -> None:
    socket = await opened()
    for text in (b"first, ", b"second, ", b"third"):
        socket.connection.transport.write(text)
    socket.connection.eof_received()
    # As a transport does then.
    socket.line.close()
    await socket.settle()
    assert socket.line.written == b"first, second, third"


async def test_what_had_arrived_goes_with_the_connection() -> None:
    socket = await opened()
    await socket.receive(sent(Opcode.BINARY, bytes(UNCOUNTED_BYTES), is_last=False) + bytes(1))
    assert socket.receiving.nbytes > 0
    socket.lose()
    assert socket.receiving.nbytes == 0


async def test_pings_of_a_client_that_takes_no_answers_fill_no_memory() -> None:
    socket = await opened()
    await socket.receive(sent(Opcode.PING, b"a"))
    assert len(socket.line.written) == 3
    socket.connection.pause_writing()
    await socket.receive(sent(Opcode.PING, b"x" * 125) * 100)
    assert len(socket.line.written) == 3
    socket.connection.resume_writing()
    await socket.receive(sent(Opcode.PING, b"b"))
    assert len(socket.line.written) == 6
    socket.lose()
    await socket.settle()


@pytest.mark.parametrize(
    "ending", [sent(Opcode.CLOSE, CLOSE), b"\xff\xff", BAD_TEXT], ids=["close", "no frame", "no text"]
)
async def test_a_closed_websocket_whose_rest_nobody_takes_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, ending: bytes
) -> None:
    socket = await opened()
    now_s = 0.0
    clock: Callable[[], float] = lambda: now_s  # noqa: E731 - It is what the loop calls.
    await socket.receive(ending)
    assert socket.line.is_closed
    loop: Any = type("Clock", (), {"time": staticmethod(clock)})
    monkeypatch.setattr(socket.connection, "loop", loop)
    for unsent_bytes in (30, 20, 10):
        socket.line.unsent_bytes = unsent_bytes
        socket.connection.expire()
        now_s += websocket_connection.UNREAD_CLOSE_S
    assert not socket.line.is_aborted
    socket.connection.expire()
    assert socket.line.is_aborted
    socket.lose()


async def test_an_open_websocket_is_left_alone() -> None:
    socket = await opened()
    socket.connection.expire()
    socket.connection.expire()
    assert not socket.line.is_closed
    socket.lose()
    await socket.settle()


async def test_who_is_about_to_open_one_is_told_that_the_server_stops() -> None:
    socket = Socket()
    await socket.receive(OPENING)
    socket.connection.end()
    assert (socket.line.answers(), socket.line.code(), socket.line.is_closed) == ([503], "shutting_down", True)
    socket.may_accept.set()
    await socket.settle()
    socket.lose()

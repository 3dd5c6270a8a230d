"""The limits and deadlines of a connection, by a clock that the test moves and a transport that it sees into."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from engram.model.limits import MESSAGE_BYTES_MAX
from engram.server.http.connection import HttpConnection, HttpLimits
from tests.doubles.line import Line

LIMITS = HttpLimits(connections_max=2, refused_max=1, header_bytes_max=2000, header_count_max=20, pipelined_max=2)
HEAD = b"GET / HTTP/1.1\r\nhost: localhost\r\n"
REQUEST = HEAD + b"\r\n"
POST = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n"


class Lines:
    """Connections to one application, which share a clock."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], limits: HttpLimits = LIMITS) -> None:
        self.now_s = 0.0
        self._limits = limits
        self._config = Config(app, lifespan="off", log_config=None, interface="asgi3", ws="websockets-sansio")
        self._config.load()
        self.state = ServerState()

    def open(self) -> tuple[HttpConnection, Line]:
        connection = HttpConnection(self._config, self.state, {}, limits=self._limits, clock=lambda: self.now_s)
        line = Line()
        connection.connection_made(line)
        return connection, line

    def is_closed_soon(self, connection: HttpConnection, line: Line) -> bool:
        """Whether a refused client may finish, and the connection is closed once it sends no more."""
        was_open = not line.is_closed
        connection.expire()
        was_open = was_open and not line.is_closed
        self.now_s += 1
        connection.expire()
        return was_open and line.is_closed

    async def settle(self) -> None:
        """Let the requests run until they are answered or wait for more."""
        for _ in range(20):
            await asyncio.sleep(0)


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and answer."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.disconnect":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without reading the body."""
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def test_a_connection_serves_one_request_after_another() -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    for count in (1, 2):
        connection.data_received(REQUEST)
        await lines.settle()
        assert line.answers() == [200] * count
    connection.connection_lost(None)
    assert not lines.state.connections


async def test_a_connection_without_a_request_is_closed_and_one_with_a_request_is_not() -> None:
    lines = Lines(greet)
    idle, idle_line = lines.open()
    busy, busy_line = lines.open()
    lines.now_s = LIMITS.idle_s
    idle.expire()
    assert not idle_line.is_closed
    busy.data_received(REQUEST)
    lines.now_s += 0.5
    idle.expire()
    busy.expire()
    assert (idle_line.is_closed, busy_line.is_closed) == (True, False)
    assert idle_line.written == b""
    await lines.settle()


async def test_a_byte_behind_an_answer_does_not_keep_a_connection_open() -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    connection.data_received(REQUEST)
    await lines.settle()
    connection.data_received(b"\r\n")
    lines.now_s = LIMITS.idle_s + 1
    connection.expire()
    assert line.is_closed


async def test_headers_that_drip_end_after_a_while_however_they_drip() -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    connection.data_received(HEAD)
    while lines.now_s <= LIMITS.header_s:
        connection.expire()
        assert not line.is_closed
        connection.data_received(b"x: y\r\n")
        lines.now_s += 5
    connection.expire()
    assert line.answers() == [408]
    assert (line.is_closed, line.code()) == (True, "request_timeout")


async def test_a_body_may_take_its_time_but_must_go_on() -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    connection.data_received(POST)
    for _ in range(5):
        await lines.settle()
        lines.now_s += LIMITS.body_s
        connection.expire()
        connection.data_received(b"x")
    assert not line.is_closed
    await lines.settle()
    lines.now_s += LIMITS.body_s + 1
    connection.expire()
    assert line.answers() == [408]
    assert line.is_closed
    connection.connection_lost(None)
    await lines.settle()


async def test_an_answer_that_nobody_takes_is_cut_off() -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    connection.pause_writing()
    connection.data_received(REQUEST)
    await lines.settle()
    lines.now_s = LIMITS.write_s
    connection.expire()
    assert not line.is_aborted
    connection.resume_writing()
    lines.now_s += 1
    connection.expire()
    assert not line.is_aborted
    connection.pause_writing()
    lines.now_s += LIMITS.write_s + 1
    connection.expire()
    assert line.is_aborted
    connection.connection_lost(None)
    await lines.settle()


async def test_an_answer_that_is_taken_slowly_is_not_cut_off() -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    connection.pause_writing()
    for unsent_bytes in range(10, 0, -1):
        line.unsent_bytes = unsent_bytes
        connection.expire()
        lines.now_s += LIMITS.write_s
    connection.expire()
    assert not line.is_aborted
    lines.now_s += 1
    connection.expire()
    assert line.is_aborted


async def test_a_closed_connection_whose_rest_nobody_takes_is_cut_off() -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    line.unsent_bytes = 10
    lines.now_s = LIMITS.idle_s + 1
    connection.expire()
    assert (line.is_closed, line.is_aborted) == (True, False)
    connection.expire()
    lines.now_s += LIMITS.write_s + 1
    connection.expire()
    assert line.is_aborted


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"x" * 3000,
        HEAD + b"x: " + b"y" * 3000,
        HEAD + b"x" * 3000,
        HEAD + b"x: y\r\n" * 300,
        HEAD + b"x: y\r\n" * 30 + b"\r\n",
        b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_a_head_that_is_too_large_is_refused(data: bytes) -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    for start in range(0, len(data), 100):
        connection.data_received(data[start : start + 100])
    assert line.answers() == [431]
    assert (lines.is_closed_soon(connection, line), line.code()) == (True, "header_bytes")
    await lines.settle()
    assert line.answers() == [431]


async def test_a_refused_client_that_sends_on_is_not_heard_for_ever() -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    connection.data_received(HEAD + b"x: " + b"y" * 3000)
    piece = b"x" * (8 * 1024 * 1024)
    taken = 0
    while not line.is_closed:
        connection.data_received(piece)
        taken += len(piece)
        lines.now_s += 0.2
        connection.expire()
    assert MESSAGE_BYTES_MAX < taken <= 2 * MESSAGE_BYTES_MAX + len(piece)
    assert line.answers() == [431]


async def test_a_refused_client_does_not_hold_its_connection_by_a_few_bytes() -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    connection.data_received(HEAD + b"x: " + b"y" * 3000)
    pieces = 0
    while not line.is_closed and pieces < 100:
        lines.now_s += 0.2
        connection.data_received(b"x")
        connection.expire()
        pieces += 1
    assert 20 < pieces < 30, "five seconds"
    assert line.answers() == [431]


@pytest.mark.parametrize(
    "data",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
        HEAD + b"content-length: x\r\n\r\n",
        HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
        HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        HEAD + b" : x\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_one_typed_refusal(data: bytes) -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    connection.data_received(data)
    connection.data_received(data)
    await lines.settle()
    assert line.answers() == [400]
    assert (lines.is_closed_soon(connection, line), line.code()) == (True, "malformed_request")


async def test_a_refusal_is_never_put_into_an_answer_that_has_begun() -> None:
    began = asyncio.Event()

    async def begin(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        began.set()
        while (await receive())["type"] != "http.disconnect":
            pass

    lines = Lines(begin)
    connection, line = lines.open()
    connection.data_received(b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
    await began.wait()
    connection.data_received(b"nonsense\r\n")
    assert line.answers() == [200]
    assert line.is_closed
    connection.connection_lost(None)
    await lines.settle()


async def test_a_body_that_nobody_reads_is_passed_over_and_the_connection_goes_on() -> None:
    lines = Lines(refuse)
    connection, line = lines.open()
    connection.data_received(POST + b"12345")
    await lines.settle()
    assert (line.answers(), line.is_closed) == ([413], False)
    connection.data_received(b"67890" + REQUEST)
    await lines.settle()
    assert (line.answers(), line.is_closed) == ([413, 413], False)


async def test_a_body_that_nobody_reads_is_not_passed_over_for_ever() -> None:
    lines = Lines(refuse)
    piece = b"x" * (8 * 1024 * 1024)
    connection, line = lines.open()
    connection.data_received(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n")
    await lines.settle()
    taken = 0
    while not line.is_closed:
        connection.data_received(piece)
        taken += len(piece)
    assert MESSAGE_BYTES_MAX < taken <= 2 * MESSAGE_BYTES_MAX + len(piece)
    connection, line = lines.open()
    connection.data_received(POST)
    await lines.settle()
    lines.now_s += LIMITS.body_s + 1
    connection.expire()
    assert line.is_closed


async def test_connections_too_many_are_told_and_more_are_dropped() -> None:
    lines = Lines(greet)
    opened = [lines.open() for _ in range(4)]
    for connection, line in opened:
        if not line.is_closed:
            connection.data_received(REQUEST)
    await lines.settle()
    assert [line.answers() for _, line in opened] == [[200], [200], [429], []]
    assert opened[2][1].code() == "too_many_connections"
    assert lines.is_closed_soon(*opened[2])
    assert opened[3][1].is_aborted
    for connection, _ in opened[2:]:
        connection.connection_lost(None)
    opened[0][0].connection_lost(None)
    connection, line = lines.open()
    connection.data_received(REQUEST)
    await lines.settle()
    assert line.answers() == [200]


async def test_requests_that_wait_on_one_connection_are_bounded() -> None:
    lines = Lines(greet)
    connection, line = lines.open()
    connection.data_received(REQUEST * 3)
    await lines.settle()
    assert line.answers() == [200] * 3
    connection.data_received(REQUEST * 4)
    await lines.settle()
    assert line.is_closed
    assert 431 not in line.answers(), "it would be taken for the answer to the first"


async def test_what_stands_behind_a_body_is_no_header() -> None:
    seen: list[Any] = []

    async def keep(scope: Scope, receive: Receive, send: Send) -> None:
        await greet(scope, receive, send)
        seen.append(dict(scope["headers"]))

    lines = Lines(keep)
    connection, line = lines.open()
    connection.data_received(
        b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        b"1\r\nx\r\n0\r\nauthorization: Bearer x\r\n\r\n"
    )
    await lines.settle()
    assert line.answers() == [200]
    assert b"authorization" not in seen[0]


async def test_an_end_waits_for_the_answer_under_way() -> None:
    lines = Lines(greet)
    idle, idle_line = lines.open()
    busy, busy_line = lines.open()
    busy.data_received(POST)
    await lines.settle()
    for connection in (idle, busy):
        connection.end()
    assert (idle_line.is_closed, busy_line.is_closed) == (True, False)
    busy.data_received(b"1234567890")
    await lines.settle()
    assert (busy_line.answers(), busy_line.is_closed) == ([200], True)

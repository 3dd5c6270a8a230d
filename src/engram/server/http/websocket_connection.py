"""One WebSocket: uvicorn's, with the bounds and the typed answers that uvicorn leaves out.

What comes before the WebSocket is open is refused as any other request is. A client that sends what no WebSocket has,
or takes nothing of what it is sent, ends its own connection and nothing else.
"""

from __future__ import annotations

import asyncio
import http
import json
from typing import Any, Final, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidState
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import State

from engram.errors import EngramError, InvalidInput, OverCapacity, Unavailable
from engram.server.http.connection import UVICORN_LOGGER
from engram.server.http.problems import problem_body, problem_headers, status_of
from engram.server.websocket.frame_reader import MessageProtocol, Together
from engram.server.websocket.short_way import SHORT_WAY, Raw, Take
from engram.streaming.pressure.receiving import Arriving, ReceiveBudget
from engram.websocket.frame_head import frame_head
from engram.websocket.turn_transport import TurnTransport

UNREAD_CLOSE_S: Final = 5.0
FRAGMENTS_MAX: Final = 65_536
"""Frames of one message. Each costs memory besides its bytes, even if it has none."""
GOING_AWAY: Final = 1001
GOING_AWAY_REASON: Final = '{"code":"shutting_down","retry_after_ms":1000}'
TRY_AGAIN_LATER: Final = 1013
# Seconds without any more of what a client is still sending, until its connection ends.
_REST_S: Final = 0.25
_NOT_UTF8: Final = 1007
_TOO_LARGE: Final = 1009
_HEAD_TOO_LARGE: Final = frozenset({414, 431})
# What a frame of a message costs besides its bytes.
_FRAME_BYTES: Final = 64


class WebSocketConnection(WebSocketsSansIOProtocol):
    """One WebSocket; belongs to the event loop.

    Parameters
    ----------
    arguments, named
        Those of uvicorn's class.
    receiving
        The budget of messages that have begun to arrive.
    """

    def __init__(self, *arguments: Any, receiving: ReceiveBudget, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = UVICORN_LOGGER
        self.conn = self._protocol = _Protocol(max_size=self.config.ws_max_size, logger=UVICORN_LOGGER)
        self._closing_since_s: float | None = None
        self._unsent_bytes = 0
        self._rest_until_s: float | None = None
        self._arriving = Arriving(receiving)
        # Of the frames of a message that is not whole yet.
        self._begun_bytes = 0
        self._take: Take | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; what is written in one turn of the event loop leaves together."""
        self._turns = TurnTransport(self.loop, cast("asyncio.Transport", transport))
        super().connection_made(cast("asyncio.Transport", self._turns))

    def data_received(self, data: bytes) -> None:
        """Take what arrived; an opening that cannot be read is answered, too."""
        if self.transport.is_closing():
            return
        if self._rest_until_s is not None:
            self._pass_over()
            return
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            reason = self.conn.handshake_exc.__cause__ or self.conn.handshake_exc
            self._refuse(self._protocol.refused or _opening_error(400, str(reason)))
        try:
            # The buffer has what there is of a frame, the frames are what there is of a message.
            self._arriving.hold(self._begun_bytes + len(self.conn.reader.buffer))
        except OverCapacity as error:
            told = {"code": error.code, "retry_after_ms": error.retry_after_ms}
            self._fail(TRY_AGAIN_LATER, json.dumps(told, separators=(",", ":")))
            self._arriving.release()

    def eof_received(self) -> None:
        """Let the client have what was written for it: the connection is closed when this returns."""
        self._turns.flush()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was arriving."""
        self._arriving.release()
        super().connection_lost(exc)

    def handle_text(self, event: Frame) -> None:
        """Take the first part of a text."""
        self._begun_bytes = len(event.data) + _FRAME_BYTES
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Take the first part of a binary message."""
        self._begun_bytes = len(event.data) + _FRAME_BYTES
        super().handle_bytes(event)

    def handle_events(self) -> None:
        """Handle what was received, in its order."""
        for event in self.conn.events_received():
            if isinstance(event, Together):
                self._hand_on(event.messages)
            else:
                self.conn.events.append(event)
                super().handle_events()

    def handle_connect(self, event: Request) -> None:
        """Take the request that opens the WebSocket."""
        super().handle_connect(event)
        if self.response.status_code == http.HTTPStatus.SWITCHING_PROTOCOLS:
            scope: Any = self.scope
            scope["extensions"][SHORT_WAY] = self

    def attach(self, take: Take) -> bool:
        """Hand messages to `take` from now on, if no event is waiting; see `ShortWay`."""
        if self.queue.empty():
            self._take = take
            self._protocol.takes_together = True
            self.read_on()
        return self._take is not None

    def read_on(self) -> None:
        """Read on after `take` had no room."""
        if self.read_paused and not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()

    def post(self, message: bytes, *, is_frame: bool) -> bool:
        """Send a message at once; return whether that was possible, which it is not while earlier ones wait."""
        if self.close_sent or self.transport.is_closing() or not self.writable.is_set():
            return False
        if self.conn.state is not State.OPEN:
            return False
        # What `websockets` makes of a message that is one frame, at a third of the cost.
        self.transport.write(frame_head(is_frame=is_frame, nbytes=len(message)) + message)
        return True

    def handle_cont(self, event: Frame) -> None:
        """Take a further part of a message."""
        if len(self.frames) >= FRAGMENTS_MAX:
            self._fail(_TOO_LARGE, f"a message has more than {FRAGMENTS_MAX} frames")
        elif not self.close_sent:
            self._begun_bytes += len(event.data) + _FRAME_BYTES
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping, unless its client does not take the answers: they would only fill the memory."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_parser_exception(self) -> None:
        """Close the WebSocket because of what came; if it is not open yet, refuse it."""
        close = self.conn.close_sent
        if close is not None:
            self._fail(close.code, close.reason)
            return
        self._disconnect(1002, "")
        self._refuse(_opening_error(400, "a frame came before the WebSocket was open, and it is none"))

    def send_receive_event_to_app(self) -> None:
        """Hand a message on; a text that is none closes the WebSocket, and is no error of the server."""
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        self._begun_bytes = 0
        if self.close_sent:
            return
        is_text = self.curr_msg_data_type == "text"
        if is_text and not _is_utf8(data):
            self._fail(_NOT_UTF8, "a text is not UTF-8")
            return
        if self._take is not None:
            self._hand_on([(data, not is_text)])
            return
        if is_text:
            self.queue.put_nowait({"type": "websocket.receive", "text": str(data, "utf-8")})
        else:
            self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
        self._pause_reading()

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message; an answer that refuses the WebSocket completes its handshake."""
        if message["type"] == "websocket.close" and self.handshake_complete and not self.writable.is_set():
            self._close_unread(message.get("code", GOING_AWAY), message.get("reason") or "")
            return
        if self.close_sent or self.transport.is_closing():
            # Each write to a connection that is gone would be a warning of asyncio's.
            self.handshake_complete = True
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    def end(self) -> None:
        """Close the WebSocket because the server stops, if its handler has not done so."""
        if not self.handshake_complete:
            self._refuse(Unavailable("the server is stopping", code="shutting_down", retry_after_ms=1000))
        elif not self.close_sent:
            self._disconnect(GOING_AWAY, GOING_AWAY_REASON)
            try:
                self.conn.send_close(GOING_AWAY, GOING_AWAY_REASON)
                self.transport.write(b"".join(self.conn.data_to_send()))
            except InvalidState:
                pass  # The client is closing it at this moment.
            self.close_sent = True
        self.shutdown()

    def expire(self) -> None:
        """Cut the connection off if it is closed and its client takes nothing any more.

        To be called about once a second.
        """
        now_s, unsent_bytes = self.loop.time(), self.transport.get_write_buffer_size()
        if not self.transport.is_closing():
            return
        if self._closing_since_s is None or unsent_bytes < self._unsent_bytes:
            self._closing_since_s = now_s
        elif now_s - self._closing_since_s >= UNREAD_CLOSE_S:
            self.transport.abort()
        self._unsent_bytes = unsent_bytes

    def _hand_on(self, messages: list[Raw]) -> None:
        if self._take is not None and not self.close_sent and not self._take(messages):
            self._pause_reading()

    def _pause_reading(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def _close_unread(self, code: int, reason: str) -> None:
        """Close the WebSocket of a client that takes nothing: it gets a moment to read on, but is not waited for."""
        if not self.close_sent and not self.transport.is_closing():
            self._disconnect(code, reason)
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self.loop.call_later(UNREAD_CLOSE_S, self.transport.abort)

    def _fail(self, code: int, reason: str) -> None:
        """Close the WebSocket because of what its client sent, which may have closed it already.

        In the middle of a message, what the client is still sending is passed over for a moment: if it were not read,
        the operating system would reset the connection, and the client might never see the reason.
        """
        self._disconnect(code, reason)
        self.conn.fail(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.frames = []
        self._begun_bytes = 0
        self.close_sent = True
        if code in (_TOO_LARGE, TRY_AGAIN_LATER):
            self._rest_until_s = self.loop.time() + UNREAD_CLOSE_S
            self._pass_over()
        else:
            self.transport.close()

    def _pass_over(self) -> None:
        """Close when the client has sent nothing for a moment, or goes on for too long."""
        if self.close_timer is not None:
            self.close_timer.cancel()
        left_s = (self._rest_until_s or 0.0) - self.loop.time()
        self.close_timer = self.loop.call_later(min(_REST_S, left_s), self.transport.close)

    def _refuse(self, error: EngramError) -> None:
        """Answer the opening with `error`, unless it has its answer."""
        if not self.handshake_complete:
            self.conn.data_to_send()
            self.transport.write(_refusal(error).serialize())
        self.handshake_complete = self.close_sent = True
        self.transport.close()

    def _disconnect(self, code: int, reason: str) -> None:
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})


def _is_utf8(data: bytes) -> bool:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


class _Protocol(MessageProtocol):
    """The protocol of websockets, whose refusals are problems as all others of the server."""

    refused: EngramError | None = None

    def reject(self, status: Any, text: str) -> Response:
        self.refused = _opening_error(int(status), text)
        return _refusal(self.refused)


def _opening_error(status: int, reason: str) -> EngramError:
    reason = reason.partition("WebSocket connection: ")[2] or reason
    if status in _HEAD_TOO_LARGE:
        return InvalidInput(
            f"request line or headers are too large: {reason.strip()[:200]}",
            code="header_bytes",
            field="header_bytes_max",
            limit="8192 bytes in a line",
        )
    return InvalidInput(
        f"what came opens no WebSocket: {reason.strip()[:200]}",
        code="malformed_request",
        field="request",
        limit="a GET that opens a WebSocket",
    )


def _refusal(error: EngramError) -> Response:
    body = problem_body(error)
    status = http.HTTPStatus(status_of(error))
    headers = [(name.decode(), value.decode()) for name, value in problem_headers(error, body)]
    headers += [("x-content-type-options", "nosniff"), ("connection", "close")]
    return Response(status.value, status.phrase, Headers(headers), body)

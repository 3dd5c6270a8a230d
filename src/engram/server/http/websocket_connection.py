"""One WebSocket: uvicorn's, which tells its client that the server stops."""

from __future__ import annotations

from typing import Any, Final

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from engram.server.http.connection import UVICORN_LOGGER

UNREAD_CLOSE_S: Final = 5.0
GOING_AWAY: Final = 1001
GOING_AWAY_REASON: Final = '{"code":"shutting_down","retry_after_ms":1000}'


class WebSocketConnection(WebSocketsSansIOProtocol):
    """One WebSocket; belongs to the event loop.

    Parameters
    ----------
    arguments, named
        Those of uvicorn's class.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = UVICORN_LOGGER

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message; an answer that refuses the WebSocket completes its handshake."""
        if message["type"] == "websocket.close" and self.handshake_complete and not self.writable.is_set():
            self._close_unread(message.get("code", GOING_AWAY), message.get("reason") or "")
            return
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    def _close_unread(self, code: int, reason: str) -> None:
        """Close the WebSocket of a client that takes nothing: it gets a moment to read on, but is not waited for."""
        if not self.close_sent and not self.transport.is_closing():
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self.loop.call_later(UNREAD_CLOSE_S, self.transport.abort)

    def end(self) -> None:
        """Close the WebSocket because the server stops, if its handler has not done so."""
        if self.handshake_complete and not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": GOING_AWAY, "reason": GOING_AWAY_REASON})
            try:
                self.conn.send_close(GOING_AWAY, GOING_AWAY_REASON)
                self.transport.write(b"".join(self.conn.data_to_send()))
            except InvalidState:
                pass  # The client is closing it at this moment.
            self.close_sent = True
        self.shutdown()

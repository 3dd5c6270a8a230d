"""The one way out of a WebSocket: one message after the other, each within a time, none once the client is gone."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from engram.server.websocket.limits import SocketLimits
from engram.server.websocket.short_way import short_way
from engram.streaming.loop.condition import LoopCondition


class SocketWriter:
    """Sends messages. Used on the event loop's thread only, by any number of tasks.

    Nothing is raised where a message cannot be sent: whoever sends is about to be told, or stopped, by the stream.

    Parameters
    ----------
    websocket
        The accepted WebSocket.
    limits
        How long a message may take, and how much may wait.

    Attributes
    ----------
    too_slow
        Set once the client has not taken a message in time. Nothing is sent after that.
    last_sent_s
        Time of the event loop when the last message was sent.
    """

    def __init__(self, websocket: WebSocket, limits: SocketLimits) -> None:
        self.too_slow: Final = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.last_sent_s: float = self._loop.time()
        self._short_way = short_way(websocket)
        self._websocket = websocket
        self._limits = limits
        self._is_over = False
        self._unsent_bytes = 0
        self._turn = asyncio.Lock()
        self._changed = LoopCondition()

    async def write(self, message: bytes, *, is_frame: bool = False) -> None:
        """Send a message: a frame, or JSON as text."""
        # Nothing overtakes what waits.
        if not self._unsent_bytes and self._post(message, is_frame):
            return
        self._unsent_bytes += len(message)
        try:
            async with self._turn:
                if not self._is_over:
                    await self._send(message, is_frame)
        finally:
            self._unsent_bytes -= len(message)
            self._changed.notify()

    async def room(self) -> None:
        """Wait until so little waits to be sent that more may be made."""
        await self._changed.wait_for(lambda: self._unsent_bytes <= self._limits.unsent_bytes_max or self._is_over)

    async def close(self, code: int, reason: str = "") -> None:
        """Close the WebSocket, if it is open; nothing is sent after that."""
        self._is_over = True
        # The client may have closed it at the same time.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):
            await self._websocket.send({"type": "websocket.close", "code": code, "reason": reason})

    def _post(self, message: bytes, is_frame: bool) -> bool:
        """Send a message at once, if that is possible."""
        if self._is_over or self._short_way is None or not self._short_way.post(message, is_frame=is_frame):
            return False
        self.last_sent_s = self._loop.time()
        return True

    async def _send(self, message: bytes, is_frame: bool) -> None:
        if self._post(message, is_frame):
            return
        event = {"type": "websocket.send"} | ({"bytes": message} if is_frame else {"text": message.decode()})
        try:
            async with asyncio.timeout(self._limits.send_s):
                await self._websocket.send(event)
        except TimeoutError:
            self._is_over = True
            self.too_slow.set()
        except (WebSocketDisconnect, RuntimeError, OSError):
            self._is_over = True
        self.last_sent_s = self._loop.time()

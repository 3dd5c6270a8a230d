"""The HTTP side of a server: connections, their deadlines, and a shutdown that loses nothing and hangs nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from engram.model.limits import MESSAGE_BYTES_MAX
from engram.server.calls import ServerCalls
from engram.server.clients.open_connections import descriptors_max, divided, refused_max
from engram.server.engine import Engine
from engram.server.http.app import http_app
from engram.server.http.connection import HttpConnection, HttpLimits
from engram.server.http.listening import BACKLOG, listen
from engram.server.http.websocket_connection import WebSocketConnection

_TICK_S: Final = 1.0
# Connections that the event loop takes before it looks at any of them. Each has a descriptor, also one too many.
_TAKEN_TOGETHER: Final = 32
# What is left when the calls have ended: answers that clients are taking, and WebSockets that are being closed.
_REMAINING_GRACE_S: Final = 1.0


class HttpServer:
    """The HTTP server that answers requests for an engine; belongs to the engine's event loop.

    Parameters
    ----------
    engine
        What is served.
    calls
        The calls of the server, which all of its transports share.
    limits
        Limits of the connections; by default those of the options of `engine`.
    clock
        Tells the time in seconds.

    Attributes
    ----------
    port
        The port that the server listens on; 0 before it does.
    """

    def __init__(
        self,
        engine: Engine,
        calls: ServerCalls,
        limits: HttpLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.port: int = 0
        self._engine = engine
        self._calls = calls
        self._state = ServerState()
        self._listeners: list[asyncio.Server] = []
        self._ticking: asyncio.Task[None] | None = None
        descriptors = descriptors_max()
        limits = limits or HttpLimits(divided(engine.options, descriptors).http, refused_max(descriptors))
        self._config = Config(
            http_app(engine, calls),
            # uvicorn only calls it.
            http=functools.partial(HttpConnection, limits=limits, clock=clock),  # type: ignore[arg-type]
            ws=functools.partial(WebSocketConnection, receiving=engine.receiving),  # type: ignore[arg-type]
            ws_max_size=MESSAGE_BYTES_MAX,
            ws_per_message_deflate=False,
            # The stream has heartbeats of its own. No pong is seen while the server reads no further.
            ws_ping_interval=None,
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=round(limits.idle_s),
            interface="asgi3",
        )
        self._config.load()

    async def start(self, host: str, port: int) -> None:
        """Start to listen and to answer requests.

        Raises
        ------
        Unavailable
            If the server cannot listen on the address.
        """
        sockets = listen(host, port)
        self._tell_date()
        loop = asyncio.get_running_loop()
        for each in sockets:
            self._listeners.append(await loop.create_server(self._connection, sock=each, backlog=_TAKEN_TOGETHER))
            each.listen(BACKLOG)
        self._ticking = asyncio.create_task(self._tick())
        self.port = sockets[0].getsockname()[1]

    async def stop(self, grace_s: float) -> None:
        """Refuse new requests, let those under way end within `grace_s` seconds, then cut the rest off."""
        for listener in self._listeners:
            listener.close()
        self._engine.stop()
        self._end_requests()
        await self._calls.finished(grace_s)
        await self._ended(_REMAINING_GRACE_S)
        for connection in list(self._state.connections):
            connection.end()  # type: ignore[union-attr]  # All of them are of the classes above.
        await self._ended(_REMAINING_GRACE_S)
        await self._cut_off()
        if self._ticking is not None:
            self._ticking.cancel()

    def expire(self) -> None:
        """End the connections whose clients owe something for too long."""
        for connection in list(self._state.connections):
            connection.expire()  # type: ignore[union-attr]  # All of them are of the classes above.

    def _connection(self) -> asyncio.Protocol:
        made: Any = self._config.http_protocol_class
        connection: asyncio.Protocol = made(self._config, self._state, {})
        return connection

    def _end_requests(self) -> None:
        """End the connections without a request now, and the others with their answers. WebSockets see the end come."""
        for connection in list(self._state.connections):
            if isinstance(connection, HttpConnection):
                connection.end()

    async def _ended(self, timeout_s: float) -> None:
        """Wait until no request is under way, at most `timeout_s` seconds."""
        if self._state.tasks:
            await asyncio.wait(set(self._state.tasks), timeout=timeout_s)
        # Answers are sent before the event loop gets here again.
        await asyncio.sleep(0)

    async def _cut_off(self) -> None:
        for connection in list(self._state.connections):
            connection.transport.abort()
        # A task that is cancelled after its connection is gone has nothing to answer any more.
        await asyncio.sleep(0)
        for task in list(self._state.tasks):
            task.cancel()
        await self._ended(_REMAINING_GRACE_S)
        for listener in self._listeners:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REMAINING_GRACE_S):
                    await listener.wait_closed()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._tell_date()
            self.expire()

    def _tell_date(self) -> None:
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]

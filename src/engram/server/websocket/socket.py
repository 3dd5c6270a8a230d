"""Serving one WebSocket from its opening to its close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.websockets import WebSocket

from engram.errors import EngramError
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.handlers.session_stream import run_stream
from engram.server.http.caller import caller_of
from engram.server.websocket.credentials import SUBPROTOCOL, with_credential
from engram.server.websocket.events import event_object
from engram.server.websocket.inbox import Inbox
from engram.server.websocket.limits import DONE, GOING_AWAY, SILENT, STREAM_FAILED, TOO_SLOW, SocketLimits
from engram.server.websocket.session_reader import SessionReader
from engram.server.websocket.socket_calls import SocketCalls
from engram.server.websocket.writer import SocketWriter
from engram.streaming.pressure.load_shedding import SpaceLoad
from engram.streaming.sessions.outbox import Event, StateChange
from engram.wire.forms.failures import error_object
from engram.wire.forms.results import encode_json

_HEARTBEAT: Final = encode_json({"type": "heartbeat"})
_LIMITS: Final = SocketLimits()
# Fields that older servers refuse, so that a client knows that it may send them.
_ACCEPTS: Final = [(b"engram-accepts", b"traceparent")]


async def serve_socket(
    engine: Engine, calls: ServerCalls, websocket: WebSocket, limits: SocketLimits | None = None
) -> None:
    """Accept a WebSocket and serve it until it is closed.

    Parameters
    ----------
    engine, calls
        What answers.
    websocket
        The WebSocket, which is not accepted yet.
    limits
        The limits of the WebSocket; None for the usual ones.

    Raises
    ------
    EngramError
        If the WebSocket is refused before it is accepted; whoever mounts this answers with it.
    """
    offered: list[str] = websocket.scope.get("subprotocols", [])
    caller = with_credential(caller_of(websocket.scope), offered)
    engine.check_running()
    try:
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None, _ACCEPTS)
    except OSError:
        # The client did not wait for the answer.
        return
    served = _Socket(engine, calls, websocket, limits or _LIMITS)
    reader = SessionReader(
        engine, caller, served.connection, SocketCalls(calls, caller, served.connection, served.writer)
    )
    await calls.serve(lambda: served.serve(reader))


class _Socket:
    def __init__(self, engine: Engine, calls: ServerCalls, websocket: WebSocket, limits: SocketLimits) -> None:
        self.connection = engine.connect()
        self.writer = SocketWriter(websocket, limits)
        self._engine = engine
        self._limits = limits
        self._inbox = Inbox(websocket, limits)
        self._last_error: EngramError | None = None

    async def serve(self, reader: SessionReader) -> None:
        """Serve until the session is closed, an error ends it, the server stops, or the client is gone or too slow."""
        reading = reader.read(self._inbox, self._limits)
        stream = asyncio.create_task(
            run_stream(self._engine, self.connection, reading, self._encode_event, self.writer.write)
        )
        receiver = asyncio.create_task(self._inbox.receive())
        gone = asyncio.create_task(self._inbox.gone.wait())
        silence = asyncio.create_task(self._keep_alive())
        slowness = asyncio.create_task(self.writer.too_slow.wait())
        tasks = [stream, receiver, gone, silence, slowness]
        try:
            await asyncio.wait([stream, gone, silence, slowness], return_when=asyncio.FIRST_COMPLETED)
            if gone.done() and not (silence.done() or slowness.done()):
                # What the client sent before is still stored, but nobody waits for answers any more.
                await reader.calls.cancel_all()
                await asyncio.wait([stream])
            if slowness.done():
                await self.writer.close(TOO_SLOW, "the client does not read")
            elif stream.done():
                await self._end(stream, reader)
            else:
                await self.writer.close(SILENT, "the client is silent")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await reader.calls.cancel_all()

    async def _end(self, stream: asyncio.Task[None], reader: SessionReader) -> None:
        """Close with the code that says why the stream ended."""
        error = stream.exception()
        if error is None and self._last_error is None:
            await self.writer.close(DONE)
        elif error is not None and not isinstance(error, EngramError):
            raise error
        elif self._engine.stopping.is_set():
            # Calls under way are answered; standing recalls are told that the server stops.
            self.connection.outbox.release()
            await reader.calls.ended()
            reason = encode_json({"code": "shutting_down", "retry_after_ms": 1000}).decode()
            await self.writer.close(GOING_AWAY, reason)
        else:
            if isinstance(error, EngramError):
                await self.writer.write(encode_json({"type": "error", **error_object(error)}))
            await self.writer.close(STREAM_FAILED, (error or self._last_error or EngramError("")).code)

    def _encode_event(self, event: Event, session_id: str, load: Callable[[], SpaceLoad]) -> bytes:
        if isinstance(event, StateChange):
            # The last one before the stream ends says why it does.
            self._last_error = event.error
        return encode_json(event_object(event, load, self._limits.heartbeat_s))

    async def _keep_alive(self) -> None:
        """Send heartbeats while nothing else is sent; return when the client has been silent for too long."""
        loop = asyncio.get_running_loop()
        while True:
            now_s = loop.time()
            # While no message is waited for, the client may have sent some.
            silent_since_s = now_s if self._inbox.silent_since_s is None else self._inbox.silent_since_s
            silent_at_s = silent_since_s + self._limits.silence_s
            beat_at_s = self.writer.last_sent_s + self._limits.heartbeat_s
            if now_s >= silent_at_s:
                return
            if now_s >= beat_at_s:
                await self.writer.write(_HEARTBEAT)
            else:
                await asyncio.sleep(min(silent_at_s, beat_at_s) - now_s)

"""ObserveStream: observations in, acks and statuses out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from engram.server.authorization import Caller
from engram.server.engine import Engine
from engram.server.handlers.session_stream import run_stream
from engram.server.malformed import Malformed
from engram.server.protobuf.events import encode_event
from engram.server.protobuf.message_parts import MessageParts
from engram.server.protobuf.observe_message import ObserveMessage
from engram.server.protobuf.observing import Write, take_message


async def observe_stream(
    engine: Engine, requests: AsyncIterator[ObserveMessage | Malformed], caller: Caller, write: Write
) -> None:
    """Serve one ObserveStream."""
    connection = engine.connect()
    parts = MessageParts(engine.receiving, connection.outbox.finish)

    async def read() -> None:
        async for message in requests:
            await take_message(engine, caller, connection, parts, message)
            # An idle stream must not hold what came last.
            del message
            if connection.outbox.finished:
                return

    try:
        await run_stream(engine, connection, read(), encode_event, write)
    finally:
        parts.release()

"""ObserveStream: observations in, acks and statuses out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from engram.server.calls import Call
from engram.server.engine import Engine
from engram.server.handlers.observe import run_stream, take_message
from engram.server.malformed import Malformed
from engram.server.messages.observe_message import ObserveMessage


async def observe_stream(engine: Engine, requests: AsyncIterator[ObserveMessage | Malformed], call: Call) -> None:
    """Serve one ObserveStream."""
    connection = engine.connect()

    async def read() -> None:
        async for message in requests:
            await take_message(engine, call, connection, message)
            if connection.outbox.finished:
                return

    await run_stream(engine, connection, read(), call.write)

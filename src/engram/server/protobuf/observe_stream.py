"""ObserveStream: observations in, acks and statuses out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from engram.server.authorization import Caller
from engram.server.engine import Engine
from engram.server.malformed import Malformed
from engram.server.protobuf.observe_message import ObserveMessage
from engram.server.protobuf.observing import Write, run_observing, take_message


async def observe_stream(
    engine: Engine, requests: AsyncIterator[ObserveMessage | Malformed], caller: Caller, write: Write
) -> None:
    """Serve one ObserveStream."""
    connection = engine.connect()

    async def read() -> None:
        async for message in requests:
            await take_message(engine, caller, connection, message)
            if connection.outbox.finished:
                return

    await run_observing(engine, connection, read(), write)

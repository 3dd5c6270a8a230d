"""ObserveStream: observations in, acks and statuses out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from engram.server.engine import Context, Engine
from engram.server.malformed import Malformed
from engram.server.observing import run_stream, take_request
from engram.wire import engram_pb2 as pb


async def observe_stream(
    engine: Engine, requests: AsyncIterator[pb.ObservationRequest | Malformed], context: Context
) -> None:
    """Serve one stream."""
    connection = engine.connect()

    async def read() -> None:
        async for request in requests:
            await take_request(engine, context, connection, request)
            if connection.outbox.finished:
                return

    await run_stream(engine, connection, read(), context.write)

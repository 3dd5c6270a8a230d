"""MemoryStream: observing and recalling on one stream, recalls running concurrently."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from engram.errors import EngramError, InvalidInput, OverCapacity
from engram.server.engine import Context, Engine
from engram.server.malformed import Malformed
from engram.server.observing import run_stream, take_request
from engram.server.recalling import recall_batches
from engram.wire import engram_pb2 as pb
from engram.wire.errors import encode_error

# Recalls of one stream under way at once; the stream is not read meanwhile.
_RECALLS_MAX: Final = 32
_logger = logging.getLogger(__name__)


async def memory_stream(
    engine: Engine, requests: AsyncIterator[pb.MemoryStreamRequest | Malformed], context: Context
) -> None:
    """Serve one stream."""
    stream = _MemoryStream(engine, context)
    try:
        await run_stream(engine, stream.connection, stream.read(requests), stream.write_observe)
    finally:
        await stream.cancel_recalls()


class _MemoryStream:
    def __init__(self, engine: Engine, context: Context) -> None:
        self.connection = engine.connect()
        self._engine = engine
        self._context = context
        # gRPC takes one write at a time, and both acks and results are written.
        self._writing = asyncio.Lock()
        self._recalls: set[asyncio.Task[None]] = set()

    async def read(self, requests: AsyncIterator[pb.MemoryStreamRequest | Malformed]) -> None:
        async for request in requests:
            if isinstance(request, Malformed):
                await take_request(self._engine, self._context, self.connection, request)
                continue
            operation = request.WhichOneof("operation")
            if operation == "recall":
                await self._start_recall(request.recall, request.recall_id)
            elif operation == "observe":
                if request.observe.HasField("close"):
                    await self._finish_recalls()
                await take_request(self._engine, self._context, self.connection, request.observe)
            else:
                self.connection.complain(
                    InvalidInput(
                        "the message has no operation", code="no_operation", field="operation", value="nothing"
                    )
                )
                await self.connection.outbox.room()
            if self.connection.outbox.finished:
                return
        await self._finish_recalls()

    async def write_observe(self, response: pb.ObservationResponse) -> None:
        async with self._writing:
            await self._context.write(pb.MemoryStreamResponse(observe=response))

    async def cancel_recalls(self) -> None:
        for task in self._recalls:
            task.cancel()
        await asyncio.gather(*self._recalls, return_exceptions=True)

    async def _start_recall(self, request: pb.StreamingRecallRequest, recall_id: int) -> None:
        if self.connection.session is not None:
            self.connection.session.touch()
        if len(self._recalls) >= _RECALLS_MAX:
            if self.connection.outbox.holding:
                # Waiting for results that a paused stream does not send would never see its RESUME.
                await self._write_error(recall_id, _too_many())
                return
            await asyncio.wait(self._recalls, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._recall(request, recall_id))
        self._recalls.add(task)
        task.add_done_callback(self._recalls.discard)

    async def _recall(self, request: pb.StreamingRecallRequest, recall_id: int) -> None:
        try:
            answers = await recall_batches(self._engine, request, self._context)
            for answer in answers:
                await self.connection.outbox.turn()
                async with self._writing:
                    await self._context.write(pb.MemoryStreamResponse(recall=answer, recall_id=recall_id))
        except EngramError as error:
            await self._write_error(recall_id, error)
        except Exception:
            _logger.exception("a recall failed")
            await self._write_error(recall_id, EngramError("internal error; the server's log has the details"))

    async def _write_error(self, recall_id: int, error: EngramError) -> None:
        answer = pb.StreamingRecallResponse(error=encode_error(error))
        async with self._writing:
            await self._context.write(pb.MemoryStreamResponse(recall=answer, recall_id=recall_id))

    async def _finish_recalls(self) -> None:
        """The client sends nothing more, so it cannot resume any more either: a pause ends."""
        self.connection.outbox.release()
        if self._recalls:
            await asyncio.wait(self._recalls)


def _too_many() -> OverCapacity:
    return OverCapacity(
        f"{_RECALLS_MAX} recalls of this paused stream are waiting",
        code="recalls_in_flight",
        field="recalls",
        limit=_RECALLS_MAX,
        value=_RECALLS_MAX + 1,
    )

"""MemoryStream: observations and recalls on one stream. The recalls run concurrently."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from engram.errors import EngramError, InvalidInput, OverCapacity
from engram.server.authorization import Caller
from engram.server.calls import ServerCalls
from engram.server.clients.client_left import ClientLeft
from engram.server.handlers.session_stream import run_stream
from engram.server.malformed import Malformed
from engram.server.protobuf.events import encode_event
from engram.server.protobuf.message_parts import MessageParts
from engram.server.protobuf.observe_message import ObserveMessage
from engram.server.protobuf.observing import take_message
from engram.server.protobuf.operations import stream_operation
from engram.wire import engram_pb2 as pb
from engram.wire.errors import encode_error
from engram.wire.operations.recalls import RECALL_STREAM_CODEC

# Recalls of one stream under way at the same time. The stream is not read on while one more would exceed this.
_RECALLS_MAX: Final = 32
# Standing recalls of one stream. They stay open until they are cancelled.
_STANDING_MAX: Final = 1024

_logger = logging.getLogger(__name__)

Write = Callable[[pb.MemoryStreamResponse], Awaitable[object]]


async def memory_stream(
    calls: ServerCalls, requests: AsyncIterator[pb.MemoryStreamRequest | Malformed], caller: Caller, write: Write
) -> None:
    """Serve one MemoryStream."""
    stream = _MemoryStream(calls, caller, write)
    try:
        read = stream.read(requests)
        await run_stream(calls.engine, stream.connection, read, encode_event, stream.write_observe)
    finally:
        stream.parts.release()
        await stream.cancel_recalls()


class _MemoryStream:
    def __init__(self, calls: ServerCalls, caller: Caller, write: Write) -> None:
        self.connection = calls.engine.connect()
        self.parts = MessageParts(calls.engine.receiving, self.connection.outbox.finish)
        self._calls = calls
        self._caller = caller
        self._send = write
        # gRPC permits one write at a time, but acks and results are written by different tasks.
        self._writing = asyncio.Lock()
        # The tasks of recalls and of standing recalls, with their recall ids.
        self._recalls: dict[asyncio.Task[None], int] = {}
        self._standing: dict[asyncio.Task[None], int] = {}

    async def read(self, requests: AsyncIterator[pb.MemoryStreamRequest | Malformed]) -> None:
        async for request in requests:
            await self._take(request)
            # An idle stream must not hold what came last.
            del request
            if self.connection.outbox.finished:
                return
        await self._finish_recalls()

    async def write_observe(self, response: pb.ObservationResponse) -> None:
        async with self._writing:
            await self._send(pb.MemoryStreamResponse(observe=response))

    async def cancel_recalls(self) -> None:
        await _cancelled([*self._recalls, *self._standing])

    async def _take(self, request: pb.MemoryStreamRequest | Malformed) -> None:
        if isinstance(request, Malformed):
            await self._observe(request)
            return
        operation = request.WhichOneof("operation")
        if operation == "recall":
            await self._start_recall(request.recall, request.recall_id)
        elif operation == "cancel_recall":
            await self._cancel_recall(request.recall_id)
        elif operation == "observe":
            if request.observe.HasField("close"):
                await self._finish_recalls()
            await self._observe(ObserveMessage(request.observe))
        else:
            self.connection.complain(
                InvalidInput("the message has no operation", code="no_operation", field="operation", value="nothing")
            )
            await self.connection.outbox.room()

    async def _observe(self, message: ObserveMessage | Malformed) -> None:
        await take_message(self._calls.engine, self._caller, self.connection, self.parts, message)

    async def _start_recall(self, request: pb.StreamingRecallRequest, recall_id: int) -> None:
        if self.connection.session is not None:
            self.connection.session.touch()
        if request.follow and len(self._standing) >= _STANDING_MAX:
            await self._write_error(recall_id, _too_many("standing recalls of this stream are open", _STANDING_MAX))
            return
        if len(self._recalls) >= _RECALLS_MAX and not request.follow:
            if self.connection.outbox.holding:
                # A paused stream sends no results, so waiting for them here would block reading the RESUME forever.
                await self._write_error(recall_id, _too_many("recalls of this paused stream are waiting", _RECALLS_MAX))
                return
            await asyncio.wait(self._recalls, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._recall(request, recall_id))
        tasks = self._standing if request.follow else self._recalls
        tasks[task] = recall_id
        task.add_done_callback(tasks.pop)
        task.add_done_callback(_note_failure)

    async def _cancel_recall(self, recall_id: int) -> None:
        """Cancel the recalls with this id and confirm it, even if there is none any more.

        The last answer of a recall that has just ended may still be on its way to the client.
        """
        tasks = {**self._recalls, **self._standing}
        await _cancelled([task for task, id in tasks.items() if id == recall_id])
        await self._write(pb.StreamingRecallResponse(), recall_id)

    async def _recall(self, request: pb.StreamingRecallRequest, recall_id: int) -> None:
        async def write(answer: pb.StreamingRecallResponse) -> None:
            await self.connection.outbox.wait_for_send_slot()
            # Cancelling the recall must not interrupt a write: gRPC accepts the next write only after it.
            writing = asyncio.ensure_future(self._write(answer, recall_id))
            # Where the recall was cancelled, nobody else sees that the client had left.
            writing.add_done_callback(_note_failure)
            await asyncio.shield(writing)

        try:
            await stream_operation(RECALL_STREAM_CODEC, self._calls, request, self._caller, write)
        except EngramError as error:
            await self._write_error(recall_id, error)

    async def _write_error(self, recall_id: int, error: EngramError) -> None:
        await self._write(pb.StreamingRecallResponse(error=encode_error(error)), recall_id)

    async def _write(self, answer: pb.StreamingRecallResponse, recall_id: int) -> None:
        async with self._writing:
            await self._send(pb.MemoryStreamResponse(recall=answer, recall_id=recall_id))

    async def _finish_recalls(self) -> None:
        """Let recalls end, and cancel standing recalls, since the client sends nothing more.

        This also ends a pause, because no RESUME can follow.
        """
        self.connection.outbox.release()
        await _cancelled(list(self._standing))
        if self._recalls:
            await asyncio.wait(self._recalls)


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _note_failure(task: asyncio.Future[None]) -> None:
    """Log what a task raised that nobody waits for, unless it is that its client left."""
    failure = None if task.cancelled() else task.exception()
    if failure is not None and not isinstance(failure, ClientLeft):
        _logger.error("an answer could not be sent", exc_info=failure)


def _too_many(what: str, limit: int) -> OverCapacity:
    return OverCapacity(f"{limit} {what}", code="recalls_in_flight", field="recalls", limit=limit, value=limit + 1)

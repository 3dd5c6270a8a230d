"""The observing side of ObserveStream and MemoryStream: it passes messages to a connection and writes its events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from engram.errors import EngramError, InvalidInput
from engram.metrics import table
from engram.model.limits import BATCH_COUNT_MAX
from engram.server.authorization import Action
from engram.server.calls import Call
from engram.server.engine import Engine, stopping_error
from engram.server.malformed import Malformed
from engram.server.messages.claims import decode_claim
from engram.server.messages.events import encode_event
from engram.server.messages.flows import decode_flow
from engram.server.messages.observe_message import ObserveMessage
from engram.streaming.sessions.connection import Connection
from engram.streaming.sessions.paused_backlog import Message
from engram.wire import engram_pb2 as pb
from engram.wire.observations import decode_batch, decode_episode, decode_priority

Write = Callable[[pb.ObservationResponse], Awaitable[None]]

_logger = logging.getLogger(__name__)


async def run_stream(engine: Engine, connection: Connection, read: Coroutine[Any, Any, None], write: Write) -> None:
    """Run `read` and write the events of `connection`, until it is finished or cancelled, or the server stops.

    Raises
    ------
    EngramError
        If the call ends with an error.
    """
    reader = asyncio.create_task(_reading(connection, read))
    stopper = asyncio.create_task(_stopping(engine, connection, reader))
    engine.counters.add(table.CONNECTIONS)
    try:
        while events := await connection.outbox.take():
            session_id = connection.session.id if connection.session is not None else ""
            for event in events:
                await write(encode_event(event, session_id, lambda: engine.admission.load(connection.space)))
    finally:
        engine.counters.add(table.CONNECTIONS, -1)
        connection.detach()
        stopper.cancel()
        reader.cancel()
        await asyncio.gather(reader, stopper, return_exceptions=True)
    if connection.outbox.error is not None:
        raise connection.outbox.error


async def take_message(engine: Engine, call: Call, connection: Connection, message: ObserveMessage | Malformed) -> None:
    """Have `connection` process one message.

    Raises
    ------
    EngramError
        If the call must end: no init came first, the init cannot be met, the message names another space or session
        than the stream's, or the session does not permit the operation.
    """
    if isinstance(message, Malformed):
        engine.counters.add(table.MALFORMED)
        connection.complain(message.error)
        await connection.outbox.room()
        return
    request = message.request
    operation = request.WhichOneof("operation")
    if operation == "init":
        await _open(engine, call, connection, request)
        return
    _check_address(connection, request)
    if operation in {"batch", "observation"}:
        await engine.recalls.loop_priority.yield_to_recalls()
        await _observe(connection, message)
    elif operation == "flow":
        await connection.flow(decode_flow(request.flow))
    elif operation == "close":
        await connection.close(drain=request.close.drain_queue, last_sequence=request.close.last_sequence)
    else:
        connection.complain(
            InvalidInput("the message has no operation", code="no_operation", field="operation", value="nothing")
        )
    await connection.outbox.room()


async def _open(engine: Engine, call: Call, connection: Connection, request: pb.ObservationRequest) -> None:
    if connection.session is not None:
        connection.complain(
            InvalidInput("the stream has its session already", code="already_open", field="init", value="a second init")
        )
        return
    space = engine.space(call.caller, Action.OBSERVE, request.memory_space_id)
    await connection.open(space, request.init.resume_session_id or request.session_id, decode_claim(request.init))


def _check_address(connection: Connection, request: pb.ObservationRequest) -> None:
    session, _ = connection.opened()
    for field, given, own in (
        ("memory_space_id", request.memory_space_id, session.space),
        ("session_id", request.session_id, session.id),
    ):
        if given and given != own:
            raise InvalidInput(
                f"this stream belongs to {field} {own!r}, not to {given[:64]!r}",
                code="wrong_address",
                field=field,
                limit=own,
                value=given[:64],
            )


async def _observe(connection: Connection, message: ObserveMessage) -> None:
    request = message.request
    try:
        observations = _decode(message)
    except Exception as failure:
        # No content of a message may end the stream, because valid messages may come behind it.
        error = failure if isinstance(failure, EngramError) else _undecodable(failure)
        count = min(len(request.batch.ids), BATCH_COUNT_MAX) if request.HasField("batch") else 1
        connection.reject(request.sequence_number, count, error)
        return
    await connection.observe(observations)


def _decode(message: ObserveMessage) -> Message:
    sequence = message.request.sequence_number
    if message.request.HasField("batch"):
        columns = message.request.batch
        return Message(sequence, decode_batch(columns, message.vectors), decode_priority(columns.priority))
    episode = message.request.observation
    return Message(sequence, decode_episode(episode), decode_priority(episode.priority), episode.id)


def _undecodable(failure: Exception) -> InvalidInput:
    _logger.error("a message cannot be decoded", exc_info=failure)
    return InvalidInput(f"the message cannot be decoded: {failure!r}", code="not_storable", field="batch")


async def _reading(connection: Connection, read: Coroutine[Any, Any, None]) -> None:
    try:
        await read
        await connection.end_of_input()
    except EngramError as error:
        connection.outbox.finish(error)
    except Exception:
        _logger.exception("a stream failed")
        connection.outbox.finish(EngramError("internal error; the server's log has the details"))


async def _stopping(engine: Engine, connection: Connection, reader: asyncio.Task[None]) -> None:
    await engine.stopping.wait()
    reader.cancel()
    await connection.shut_down(stopping_error())

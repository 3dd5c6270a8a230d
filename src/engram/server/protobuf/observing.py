"""The observing side of ObserveStream and MemoryStream: it passes messages to a connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.server.authorization import Caller
from engram.server.engine import Engine
from engram.server.handlers.session_stream import check_address, complain, open_session, undecodable
from engram.server.malformed import Malformed
from engram.server.protobuf.claims import decode_claim
from engram.server.protobuf.flows import decode_flow
from engram.server.protobuf.message_parts import MessageParts
from engram.server.protobuf.observe_message import ObserveMessage
from engram.streaming.sessions.connection import Connection
from engram.streaming.sessions.paused_backlog import Message
from engram.wire import engram_pb2 as pb
from engram.wire.observations import decode_batch, decode_episode, decode_priority

Write = Callable[[pb.ObservationResponse], Awaitable[object]]


async def take_message(
    engine: Engine, caller: Caller, connection: Connection, parts: MessageParts, message: ObserveMessage | Malformed
) -> None:
    """Have `connection` process one message, or the request that it is the last part of.

    Raises
    ------
    EngramError
        If the call must end: no init came first, the init cannot be met, the message names another space or session
        than the stream's, or the session does not permit the operation.
    """
    whole = await parts.take(message)
    if whole is None:
        return
    if isinstance(whole, Malformed):
        parts.release()
        await complain(engine, connection, whole)
        return
    await _process(engine, caller, connection, whole)
    if parts.has_room:
        # Its observations are counted in their lane by now, and none of it may stay while an outbox is full.
        del whole
        parts.release()
    await connection.outbox.room()


async def _process(engine: Engine, caller: Caller, connection: Connection, message: ObserveMessage) -> None:
    request = message.request
    operation = request.WhichOneof("operation")
    if operation == "init":
        session_id = request.init.resume_session_id or request.session_id
        claim = decode_claim(request.init)
        await open_session(engine, caller, connection, request.memory_space_id, session_id, claim)
        return
    check_address(connection, request.memory_space_id, request.session_id)
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


async def _observe(connection: Connection, message: ObserveMessage) -> None:
    request = message.request
    try:
        observations = _decode(message)
    except Exception as failure:
        count = min(len(request.batch.ids), BATCH_COUNT_MAX) if request.HasField("batch") else 1
        connection.reject(request.sequence_number, count, undecodable(failure))
        return
    await connection.observe(observations)


def _decode(message: ObserveMessage) -> Message:
    request = message.request
    sequence, traceparent = request.sequence_number, request.traceparent
    if request.HasField("batch"):
        columns = request.batch
        batch, priority = decode_batch(columns, message.vectors), decode_priority(columns.priority)
        return Message(sequence, batch, priority, traceparent=traceparent)
    episode = request.observation
    batch, priority = decode_episode(episode), decode_priority(episode.priority)
    return Message(sequence, batch, priority, episode.id, traceparent=traceparent)

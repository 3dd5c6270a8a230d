"""Conversion of the events in a connection's outbox to `ObservationResponse` messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engram.model.limits import BATCH_COUNT_MAX, MESSAGE_BYTES_MAX, PART_BYTES_MAX
from engram.model.times import now_us
from engram.streaming.pressure.levels import Level
from engram.streaming.pressure.load_shedding import SpaceLoad
from engram.streaming.sessions.acks import AckStatus, SessionAck
from engram.streaming.sessions.outbox import Event, Opened, StateChange, StreamState
from engram.wire import engram_pb2 as pb
from engram.wire.errors import encode_error
from engram.wire.times import to_timestamp

_ACK_STATUSES: Final = {
    AckStatus.ACCEPTED: pb.ObservationAck.STATUS_ACCEPTED,
    AckStatus.INDEXED: pb.ObservationAck.STATUS_INDEXED,
    AckStatus.REJECTED: pb.ObservationAck.STATUS_REJECTED,
}
_STATES: Final = {
    StreamState.ACTIVE: pb.StreamStatus.STATE_ACTIVE,
    StreamState.PAUSED: pb.StreamStatus.STATE_PAUSED,
    StreamState.BACKPRESSURE: pb.StreamStatus.STATE_BACKPRESSURE,
    StreamState.OVERLOADED: pb.StreamStatus.STATE_OVERLOADED,
    StreamState.ERROR: pb.StreamStatus.STATE_ERROR,
    StreamState.CLOSED: pb.StreamStatus.STATE_CLOSED,
}


_LEVELS: Final = {
    Level.NORMAL: pb.PRESSURE_LEVEL_NORMAL,
    Level.WARNING: pb.PRESSURE_LEVEL_WARNING,
    Level.CRITICAL: pb.PRESSURE_LEVEL_CRITICAL,
    Level.OVERLOADED: pb.PRESSURE_LEVEL_OVERLOADED,
}


def encode_level(level: Level) -> pb.PressureLevel.ValueType:
    """Return the wire number of `level`."""
    return _LEVELS[level]


def encode_event(event: Event, session_id: str, load: Callable[[], SpaceLoad]) -> pb.ObservationResponse:
    """Return the message that reports `event` to the client of session `session_id`.

    The sequence number of the message is, for ACCEPTED and INDEXED, the last one covered; for REJECTED, the first of
    the refused message; otherwise the last durable one of the session. `load` returns the load on the client's space.
    """
    now = to_timestamp(now_us())
    if isinstance(event, SessionAck):
        rejected = event.status is AckStatus.REJECTED
        return pb.ObservationResponse(
            ack=pb.ObservationAck(
                status=_ACK_STATUSES[event.status],
                memory_id=event.memory_id,
                committed_at=now if event.status is AckStatus.ACCEPTED else None,
                first_sequence=event.first_sequence,
                last_sequence=event.last_sequence,
                first_generation=event.first_generation,
                last_generation=event.last_generation,
                error=encode_error(event.error) if event.error is not None else None,
            ),
            session_id=session_id,
            sequence_number=event.first_sequence if rejected else event.last_sequence,
            server_timestamp=now,
        )
    if isinstance(event, Opened):
        return pb.ObservationResponse(
            init_ack=_encode_opened(event, load()),
            session_id=session_id,
            sequence_number=event.initial_sequence,
            server_timestamp=now,
        )
    return pb.ObservationResponse(
        status=_encode_status(event, load()),
        session_id=session_id,
        sequence_number=event.sequence,
        server_timestamp=now,
    )


def _encode_opened(event: Opened, load: SpaceLoad) -> pb.StreamInitAck:
    return pb.StreamInitAck(
        session_id=event.session_id,
        initial_sequence=event.initial_sequence,
        capabilities=pb.StreamCapabilities(
            queue_capacity=load.queue_capacity,
            supports_backpressure=True,
            supports_snapshot_isolation=True,
            batch_count_max=BATCH_COUNT_MAX,
            message_bytes_max=MESSAGE_BYTES_MAX,
            part_bytes_max=PART_BYTES_MAX,
        ),
        dimension=event.dimension,
        generation=event.generation,
        incarnation=event.incarnation,
    )


def _encode_status(event: StateChange, load: SpaceLoad) -> pb.StreamStatus:
    return pb.StreamStatus(
        state=_STATES[event.state],
        message=event.message,
        queue_depth=load.queue_depth,
        queue_capacity=load.queue_capacity,
        pressure=load.pressure,
        level=encode_level(load.level),
        error=encode_error(event.error) if event.error is not None else None,
    )

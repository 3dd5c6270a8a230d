"""The messages of an observe stream: the client's first and last, and the events in the server's responses."""

from __future__ import annotations

from typing import Final

from engram.client.sending.rate_control import ServerLoad
from engram.client.transport import (
    Accepted,
    Closed,
    Event,
    Greeting,
    Indexed,
    LoadChange,
    Refused,
    SessionError,
    Welcome,
)
from engram.errors import EngramError, Unavailable
from engram.model.ack import Ack
from engram.model.limits import BATCH_COUNT_MAX
from engram.wire import engram_pb2 as pb
from engram.wire.errors import decode_error

_LOADS: Final = {
    pb.StreamStatus.STATE_ACTIVE: ServerLoad.ACTIVE,
    pb.StreamStatus.STATE_PAUSED: ServerLoad.PAUSED,
    pb.StreamStatus.STATE_BACKPRESSURE: ServerLoad.BACKPRESSURE,
    pb.StreamStatus.STATE_OVERLOADED: ServerLoad.OVERLOADED,
}


def encode_greeting(greeting: Greeting) -> pb.ObservationRequest:
    """Return the first message of a stream."""
    init = pb.StreamInit(
        enable_backpressure=True,
        max_batch_size=BATCH_COUNT_MAX,
        resume_session_id=greeting.session_id,
        incarnation=greeting.incarnation,
        writer=greeting.writer,
        known_sequence=greeting.known_sequence,
    )
    return pb.ObservationRequest(memory_space_id=greeting.space, init=init)


def encode_close(last_sequence: int) -> pb.ObservationRequest:
    """Return the last message of a session."""
    return pb.ObservationRequest(close=pb.StreamClose(last_sequence=last_sequence))


def decode_welcome(response: pb.ObservationResponse) -> Welcome:
    """Return the welcome in the first response of a stream.

    Raises
    ------
    EngramError
        The error that the server refuses the session with, or that the response is something else.
    """
    if response.WhichOneof("result") != "init_ack":
        raise _unexpected(response)
    ack = response.init_ack
    capacity = ack.capabilities.queue_capacity
    return Welcome(ack.session_id, ack.initial_sequence, ack.generation, capacity, ack.incarnation)


def decode_response(response: pb.ObservationResponse) -> Event:
    """Return the event that a response represents."""
    result = response.WhichOneof("result")
    if result == "ack":
        return _decode_ack(response.ack, response.sequence_number)
    if result == "status":
        return _decode_status(response.status)
    return SessionError(_unexpected(response))


def _decode_ack(ack: pb.ObservationAck, sequence: int) -> Event:
    first, last = ack.first_sequence or sequence, ack.last_sequence or sequence
    match ack.status:
        case pb.ObservationAck.STATUS_ACCEPTED:
            return Accepted(Ack(first, last, ack.first_generation, ack.last_generation))
        case pb.ObservationAck.STATUS_INDEXED:
            return Indexed(last)
        case pb.ObservationAck.STATUS_REJECTED:
            return Refused(first, last, decode_error(ack.error))
        case unknown:
            return SessionError(Unavailable(f"the server sent an ack of unknown status {unknown}", code="unknown_ack"))


def _decode_status(status: pb.StreamStatus) -> Event:
    if status.state == pb.StreamStatus.STATE_CLOSED:
        return Closed()
    if status.state == pb.StreamStatus.STATE_ERROR:
        return SessionError(decode_error(status.error))
    # A state that only a later server knows says nothing about load.
    return LoadChange(_LOADS.get(status.state, ServerLoad.ACTIVE), status.error.retry_after_ms)


def _unexpected(response: pb.ObservationResponse) -> EngramError:
    if response.WhichOneof("result") == "status" and response.status.HasField("error"):
        return decode_error(response.status.error)
    return Unavailable(f"the server answered {response.WhichOneof('result')!r} out of turn", code="unexpected_response")

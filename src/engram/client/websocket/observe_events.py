"""The messages of a session: the client's first and last, and the events in those of the server."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

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
from engram.wire.forms.failures import error_from
from engram.wire.forms.received_results import decode_error, unexpected
from engram.wire.forms.results import encode_json

_LOADS: Final = {
    "active": ServerLoad.ACTIVE,
    "paused": ServerLoad.PAUSED,
    "backpressure": ServerLoad.BACKPRESSURE,
    "overloaded": ServerLoad.OVERLOADED,
}


class _Capabilities(Struct):
    queue_capacity: int = 0


class _Message(Struct):
    """All fields of all messages, of which each message has some."""

    type: str = ""
    status: str = ""
    state: str = ""
    first_sequence: int = 0
    last_sequence: int = 0
    first_generation: int = 0
    last_generation: int = 0
    session_id: str = ""
    durable_sequence: int = 0
    generation: int = 0
    incarnation: str = ""
    capabilities: _Capabilities = msgspec.field(default_factory=_Capabilities)
    error: dict[str, Any] | None = None


_decode: Final = msgspec.json.Decoder(_Message).decode


def encode_greeting(greeting: Greeting) -> bytes:
    """Return the first message of a session."""
    init: dict[str, object] = {
        "type": "init",
        "space": greeting.space,
        "session_id": greeting.session_id,
        "incarnation": greeting.incarnation,
        "writer": greeting.writer,
    }
    if greeting.known_sequence is not None:
        init["known_sequence"] = greeting.known_sequence
    return encode_json(init)


def encode_close(last_sequence: int) -> bytes:
    """Return the last message of a session."""
    # A drained close would wait for the index, which no caller waits for.
    return encode_json({"type": "close", "drain": False, "last_sequence": last_sequence})


def read_welcome(message: bytes) -> Welcome | None:
    """Return the welcome in the first message of a server; None if it is a heartbeat.

    Raises
    ------
    EngramError
        The error that the server refuses the session with, or that the message is something else.
    """
    said = _read(message)
    if said.type == "init_ack":
        capacity = said.capabilities.queue_capacity
        return Welcome(said.session_id, said.durable_sequence, said.generation, capacity, said.incarnation)
    if said.type == "heartbeat":
        return None
    raise _error_in(said, message)


def read_event(message: bytes) -> Event | None:
    """Return the event that a message reports; None if it is a heartbeat, or of a type that only a later server knows.

    Raises
    ------
    Unavailable
        If the message cannot be read.
    """
    said = _read(message)
    match said.type:
        case "ack":
            return _ack(said)
        case "status":
            # A state that only a later server knows says nothing about load.
            retry_after_ms = error_from(said.error).retry_after_ms if said.error else None
            return LoadChange(_LOADS.get(said.state, ServerLoad.ACTIVE), retry_after_ms or 0)
        case "closed":
            return Closed()
        case "error":
            return SessionError(decode_error(message))
        case _:
            return None


def _ack(said: _Message) -> Event:
    match said.status:
        case "accepted":
            first, last = said.first_sequence, said.last_sequence
            return Accepted(Ack(first, last, said.first_generation, said.last_generation))
        case "indexed":
            return Indexed(said.last_sequence)
        case "rejected":
            return Refused(said.first_sequence, said.last_sequence, error_from(said.error or {}))
        case unknown:
            error = Unavailable(f"the server sent an ack of unknown status {unknown[:40]!r}", code="unknown_ack")
            return SessionError(error)


def _error_in(said: _Message, message: bytes) -> EngramError:
    if said.type == "error":
        return decode_error(message)
    if said.error is not None:
        return error_from(said.error)
    return unexpected(f"{said.type[:40]!r} out of turn")


def _read(message: bytes) -> _Message:
    try:
        return _decode(message)
    except (ValueError, RecursionError) as error:
        raise unexpected(f"a message that cannot be read: {error}") from None

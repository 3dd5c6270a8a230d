"""Conversion of the events in a connection's outbox to messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engram.model.limits import BATCH_COUNT_MAX, MESSAGE_BYTES_MAX
from engram.streaming.pressure.load_shedding import SpaceLoad
from engram.streaming.sessions.acks import SessionAck
from engram.streaming.sessions.outbox import Event, Opened, StateChange, StreamState
from engram.wire.forms.failures import error_object


def event_object(event: Event, load: Callable[[], SpaceLoad], heartbeat_s: float) -> dict[str, Any]:
    """Return the message that reports `event`.

    Parameters
    ----------
    event
        The event.
    load
        Returns the load on the client's space.
    heartbeat_s
        Seconds after which the server sends a heartbeat.
    """
    if isinstance(event, SessionAck):
        return _ack(event)
    if isinstance(event, Opened):
        return _init_ack(event, load(), heartbeat_s)
    return _state(event, load)


def _ack(ack: SessionAck) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "ack",
        "status": ack.status.value,
        "first_sequence": ack.first_sequence,
        "last_sequence": ack.last_sequence,
        "first_generation": ack.first_generation,
        "last_generation": ack.last_generation,
    }
    if ack.error is not None:
        made["error"] = error_object(ack.error)
    return made


def _init_ack(event: Opened, load: SpaceLoad, heartbeat_s: float) -> dict[str, Any]:
    return {
        "type": "init_ack",
        "session_id": event.session_id,
        "durable_sequence": event.initial_sequence,
        "generation": event.generation,
        "incarnation": event.incarnation,
        "dimension": event.dimension,
        "capabilities": {
            "queue_capacity": load.queue_capacity,
            "batch_count_max": BATCH_COUNT_MAX,
            "message_bytes_max": MESSAGE_BYTES_MAX,
            "heartbeat_s": heartbeat_s,
        },
    }


def _state(event: StateChange, load: Callable[[], SpaceLoad]) -> dict[str, Any]:
    error = None if event.error is None else error_object(event.error)
    if event.state is StreamState.ERROR:
        return {"type": "error", **(error or {"code": "internal", "message": event.message})}
    if event.state is StreamState.CLOSED:
        made: dict[str, Any] = {"type": "closed", "sequence_number": event.sequence}
    else:
        now = load()
        made = {
            "type": "status",
            "state": event.state.value,
            "message": event.message,
            "queue_depth": now.queue_depth,
            "queue_capacity": now.queue_capacity,
            "pressure": now.pressure,
            "level": now.level.name.lower(),
        }
    return made if error is None else {**made, "error": error}

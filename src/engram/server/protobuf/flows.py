"""Conversion of `FlowControl` messages to `Flow` requests."""

from __future__ import annotations

import math
from typing import Final

from engram.errors import InvalidInput
from engram.streaming.sessions.flow_control import Flow, FlowAction
from engram.wire import engram_pb2 as pb

_ACTIONS: Final = {
    pb.FlowControl.ACTION_PAUSE: FlowAction.PAUSE,
    pb.FlowControl.ACTION_RESUME: FlowAction.RESUME,
    pb.FlowControl.ACTION_SLOW_DOWN: FlowAction.SLOW_DOWN,
    pb.FlowControl.ACTION_SPEED_UP: FlowAction.SPEED_UP,
    pb.FlowControl.ACTION_BUFFER_STATUS: FlowAction.BUFFER_STATUS,
}


def decode_flow(message: pb.FlowControl) -> Flow:
    """Return the request in `message`. An unknown action, from a newer client, becomes NONE.

    Raises
    ------
    InvalidInput
        If the preferred rate is negative or not finite.
    """
    rate = message.preferred_rate
    if not math.isfinite(rate) or rate < 0:
        raise InvalidInput(
            f"the preferred rate is {rate}; it must be a number of messages a second",
            code="invalid_rate",
            field="preferred_rate",
            limit=">= 0",
            value=rate,
        )
    return Flow(_ACTIONS.get(message.action, FlowAction.NONE), message.buffer_remaining, rate)

"""Flow control requests: what a client may ask about the messages that the server sends to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FlowAction(Enum):
    """The action that a flow control request asks for."""

    NONE = "none"
    PAUSE = "pause"
    RESUME = "resume"
    SLOW_DOWN = "slow_down"
    SPEED_UP = "speed_up"
    BUFFER_STATUS = "buffer_status"


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow control request of a client.

    Parameters
    ----------
    action
        The action, or NONE for a request that only sets a rate.
    buffer_remaining
        With BUFFER_STATUS: how many more messages the client has room for. Without room, what can wait is held back.
    preferred_rate
        The most messages per second that the client wants; 0 means no preference.
    """

    action: FlowAction
    buffer_remaining: int = 0
    preferred_rate: float = 0.0

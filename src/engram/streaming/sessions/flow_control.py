"""What a client may ask about the flow towards it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FlowAction(Enum):
    """What to do."""

    NONE = "none"
    PAUSE = "pause"
    RESUME = "resume"
    SLOW_DOWN = "slow_down"
    SPEED_UP = "speed_up"
    BUFFER_STATUS = "buffer_status"


@dataclass(frozen=True, slots=True)
class Flow:
    """One request of a client.

    Parameters
    ----------
    action
        What to do; with a rate, and for the rate alone, it may be left out.
    buffer_remaining
        With BUFFER_STATUS: how many more messages the client has room for. Without room, what can wait is kept back.
    preferred_rate
        Messages a second that the client wants at most; 0 says nothing.
    """

    action: FlowAction
    buffer_remaining: int = 0
    preferred_rate: float = 0.0

"""The actions that an authorizer allows or refuses."""

from __future__ import annotations

from enum import Enum


class Action(Enum):
    """What a call wants to do, as an authorizer distinguishes it."""

    OBSERVE = "observe"
    RECALL = "recall"
    FORGET = "forget"
    CREATE = "create"
    DESCRIBE = "describe"

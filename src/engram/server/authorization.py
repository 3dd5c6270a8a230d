"""The one place where a call is allowed or refused."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

import grpc


class Action(Enum):
    """What a call wants to do with a space."""

    OBSERVE = "observe"
    RECALL = "recall"
    FORGET = "forget"
    CREATE = "create"
    DESCRIBE = "describe"


class Authorizer(Protocol):
    """Decides about each call once, before anything is done for it; MemoryStream asks for observing and recalling."""

    def authorize(self, context: grpc.aio.ServicerContext[object, object], action: Action, space: str) -> None:
        """Return if the call may do `action` in `space` (empty: the server as a whole), else raise an `EngramError`."""


class AllowEveryone:
    """Lets every call pass: the server only listens where everyone is trusted."""

    def authorize(self, context: grpc.aio.ServicerContext[object, object], action: Action, space: str) -> None:
        """Return, always."""

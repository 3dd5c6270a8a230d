"""Authorization: the one place where a call is allowed or refused."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

import grpc


class Action(Enum):
    """An operation that a call wants to perform on a space."""

    OBSERVE = "observe"
    RECALL = "recall"
    FORGET = "forget"
    CREATE = "create"
    DESCRIBE = "describe"


class Authorizer(Protocol):
    """Decides about each call once, before anything is done for it.

    A MemoryStream asks for OBSERVE when its session is opened, and for RECALL with each recall.
    """

    def authorize(self, context: grpc.aio.ServicerContext[object, object], action: Action, space: str) -> None:
        """Return if the call may perform `action` in `space`, which is empty for the server as a whole.

        Raises
        ------
        EngramError
            If the call may not.
        """


class AllowEveryone:
    """Allows every call, for a server that only listens where every client is trusted."""

    def authorize(self, context: grpc.aio.ServicerContext[object, object], action: Action, space: str) -> None:
        """Allow the call."""

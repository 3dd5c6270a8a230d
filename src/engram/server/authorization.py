"""Authorization: the one place where an operation is allowed or refused, the same for every transport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from engram.model.operations.action import Action


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever makes a call, as far as the transport knows.

    Parameters
    ----------
    peer
        Address of the caller in the notation of its transport, such as ``ipv4:127.0.0.1:51234``; empty if the transport
        has none.
    metadata
        What the client sent beside the request, such as a credential. The keys are in lower case; the values of a key
        that was sent several times are joined by ``", "``, as in HTTP.
    """

    peer: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


class Authorizer(Protocol):
    """A function that allows or refuses an operation.

    It is asked once for each operation, before anything is done for it: for OBSERVE when a session is opened, for
    RECALL with each recall. It runs on the event loop of the server, so it must not wait for anything.
    """

    def __call__(self, caller: Caller, action: Action, space: str | None, /) -> None:
        """Return if `caller` may perform `action` in the space of this name; None means the server as a whole.

        Raises
        ------
        Unauthenticated
            If it does not know the caller.
        PermissionDenied
            If the caller may not do this. Every other exception refuses the operation, too; one that is no
            `EngramError` is logged, and the caller is told of an internal error.
        """


def allow_everyone(caller: Caller, action: Action, space: str | None) -> None:
    """Allow every operation, for a server that only listens where every client is trusted."""

"""Authorization: the one place where an operation is allowed or refused, the same for every transport."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from engram.errors import InvalidInput
from engram.model.operations.action import Action
from engram.model.values.scalars import shown


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

    It is asked before anything is done for an operation: for OBSERVE when a session is opened, for RECALL with each
    recall. It is asked once, except where an operation is permitted to whoever may do one of several things, such as
    the description of a space: then it is asked about the next one after a `PermissionDenied`. It runs on the event
    loop of the server, so it must not wait for anything, and cannot be a coroutine function.
    """

    def __call__(self, caller: Caller, action: Action, space: str | None, /) -> None:
        """Return None if `caller` may perform `action` in `space`, the name of a space, or None for the whole server.

        Whatever else is returned, be it False or True, refuses the operation: only an exception says why.

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


def check_authorizer(authorizer: object) -> None:
    """Check that a server can ask `authorizer`.

    Raises
    ------
    InvalidInput
        With code ``invalid_option``, if it is not callable, or if it is a coroutine function, whose verdict would come
        too late.
    """
    call = getattr(type(authorizer), "__call__", None)  # noqa: B004 - the method itself is looked at.
    never_done = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    is_late = any(is_kind(function) for is_kind in never_done for function in (authorizer, call))
    if not callable(authorizer) or is_late:
        raise InvalidInput(
            f"authorizer is {shown(authorizer)}; pass a plain function of caller, action and space that raises an "
            "error to refuse, and leave it out to allow everything",
            code="invalid_option",
            field="authorizer",
            limit="a function",
            value=shown(authorizer, with_type=False),
        )

"""The operations of a server: each method of the contract with the behaviour that answers it, for every transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from engram.server.calls import Behaviour
from engram.server.handlers.look_up import get, get_snapshot
from engram.server.handlers.memory_stream import memory_stream
from engram.server.handlers.observe_stream import observe_stream
from engram.server.handlers.recall import recall, recall_stream
from engram.server.handlers.remember import forget, remember
from engram.server.handlers.spaces import create_space, get_space, get_status, list_spaces
from engram.server.malformed import lenient
from engram.server.messages.observe_message import ObserveMessage
from engram.wire import methods
from engram.wire.methods import Method


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a server.

    Parameters
    ----------
    method
        Name and messages of the operation.
    behaviour
        Answers a call.
    parse
        Returns the request in some bytes, or a `Malformed`; it never raises.
    """

    method: Method[Any, Any]
    behaviour: Behaviour
    parse: Callable[[bytes], Any]


# Parsers that replace protobuf's own.
_PARSERS: Final[dict[str, Callable[[bytes], Any]]] = {methods.OBSERVE_STREAM.name: ObserveMessage.parse}

_BEHAVIOURS: Final[tuple[tuple[Method[Any, Any], Behaviour], ...]] = (
    (methods.OBSERVE_STREAM, observe_stream),
    (methods.RECALL_STREAM, recall_stream),
    (methods.MEMORY_STREAM, memory_stream),
    (methods.REMEMBER, remember),
    (methods.RECALL, recall),
    (methods.FORGET, forget),
    (methods.GET, get),
    (methods.GET_SNAPSHOT, get_snapshot),
    (methods.CREATE_SPACE, create_space),
    (methods.GET_SPACE, get_space),
    (methods.LIST_SPACES, list_spaces),
    (methods.GET_STATUS, get_status),
)


def _operation(method: Method[Any, Any], behaviour: Behaviour) -> Operation:
    parse = _PARSERS.get(method.name, method.request.FromString)
    return Operation(method, behaviour, lenient(method.request.DESCRIPTOR.name, parse))


OPERATIONS: Final[dict[str, Operation]] = {
    method.name: _operation(method, behaviour) for method, behaviour in _BEHAVIOURS
}
"""The operations by the names of their methods."""

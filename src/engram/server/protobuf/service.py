"""The methods of the contract and what serves them, for any transport that carries their messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from engram.server.authorization import Caller
from engram.server.calls import ServerCalls
from engram.server.protobuf.memory_stream import memory_stream
from engram.server.protobuf.observe_message import parse_request
from engram.server.protobuf.observe_stream import observe_stream
from engram.server.protobuf.operations import answer_operation, stream_operation
from engram.server.protobuf.parsing import lenient
from engram.wire import methods
from engram.wire.methods import Method
from engram.wire.operations.codec import OperationCodec
from engram.wire.operations.table import CODECS

WriteMessage = Callable[[Any], Awaitable[object]]
"""Sends one message of an answer that is a stream; it waits while the client reads slowly. One at a time is written."""


@dataclass(frozen=True, slots=True)
class ServedMethod:
    """One method of the contract as a server has it.

    Parameters
    ----------
    method
        Name and messages of the method.
    parse
        Returns the message in some bytes, or a `Malformed`; it never raises.
    serve
        Answers one call: takes the message, or an iterator of messages, and returns the answer unless it writes it.
        Raises `EngramError` if the call fails.
    """

    method: Method[Any, Any]
    parse: Callable[[bytes], Any]
    serve: Callable[[ServerCalls, Any, Caller, WriteMessage], Awaitable[Any]]


def _of_operation(codec: OperationCodec[Any, Any]) -> ServedMethod:
    async def answer(calls: ServerCalls, question: Any, caller: Caller, write: WriteMessage) -> Any:
        return await answer_operation(codec, calls, question, caller)

    async def stream(calls: ServerCalls, question: Any, caller: Caller, write: WriteMessage) -> None:
        await stream_operation(codec, calls, question, caller, write)

    method = codec.method
    serve = stream if codec.operation.streams else answer
    return ServedMethod(method, lenient(method.request.DESCRIPTOR.name, method.request.FromString), serve)


async def _observe(calls: ServerCalls, requests: Any, caller: Caller, write: WriteMessage) -> None:
    await calls.serve(partial(observe_stream, calls.engine, requests, caller, write))


async def _observe_and_recall(calls: ServerCalls, requests: Any, caller: Caller, write: WriteMessage) -> None:
    await calls.serve(partial(memory_stream, calls, requests, caller, write))


_STREAMS: Final = (
    ServedMethod(methods.OBSERVE_STREAM, parse_request, _observe),
    ServedMethod(
        methods.MEMORY_STREAM,
        lenient("MemoryStreamRequest", methods.MEMORY_STREAM.request.FromString),
        _observe_and_recall,
    ),
)

METHODS: Final[dict[str, ServedMethod]] = {
    served.method.name: served for served in (*_STREAMS, *map(_of_operation, CODECS.values()))
}
"""The methods by their names."""

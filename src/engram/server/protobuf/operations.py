"""The operations as their messages ask for them: joins the codecs of the contract with the calls of the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from google.protobuf.message import Message

from engram.server.authorization import Caller
from engram.server.calls import Incoming, ServerCalls
from engram.server.malformed import Malformed
from engram.wire.operations.codec import OperationCodec


async def answer_operation(
    codec: OperationCodec[Any, Any],
    calls: ServerCalls,
    question: Message | Malformed,
    caller: Caller,
) -> Message:
    """Return the one answer to a question.

    Raises
    ------
    EngramError
        If the call fails, for whatever reason.
    """
    answers = await calls.answer(codec.operation, _incoming(codec, question), _encoder(codec, question), caller)
    return answers[0]


async def stream_operation(
    codec: OperationCodec[Any, Any],
    calls: ServerCalls,
    question: Message | Malformed,
    caller: Caller,
    write: Callable[[Any], Awaitable[object]],
) -> None:
    """Write the answers to a question.

    Raises
    ------
    EngramError
        If the call fails, for whatever reason.
    """

    async def write_all(answers: list[Message]) -> None:
        for answer in answers:
            await write(answer)

    incoming = _incoming(codec, question)
    await calls.stream(codec.operation, incoming, _encoder(codec, question), caller, write_all)


def _incoming(codec: OperationCodec[Any, Any], question: Message | Malformed) -> Incoming[Any] | Malformed:
    if isinstance(question, Malformed):
        return question
    return Incoming(codec.space(question), partial(codec.decode_request, question))


def _encoder(codec: OperationCodec[Any, Any], question: Any) -> Callable[[Any], list[Message]]:
    return partial(codec.encode_result, question)

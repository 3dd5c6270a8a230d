"""How one operation is encoded as messages of the protobuf contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from engram.model.operations.operation import Operation
from engram.model.spaces import DEFAULT_SPACE
from engram.wire.methods import Method

Question = TypeVar("Question", bound=Message)
Answer = TypeVar("Answer", bound=Message)


def _as_it_is(question: object, answer: object) -> None:
    """Take an answer as it is: whoever answers most questions has understood them."""


@dataclass(frozen=True, slots=True)
class OperationCodec(Generic[Question, Answer]):
    """The messages of one operation: both halves, that of the server and that of the client.

    Parameters
    ----------
    operation
        The operation.
    method
        The method of the contract, with the types of its messages.
    space
        Returns the name of the space that a question is about; None if it is about the server as a whole. It is asked
        before the rest is decoded, and does not raise.
    decode_request, encode_request
        Make the request from a question, and the question from a request. Decoding raises `InvalidInput` for what no
        request can be.
    encode_result
        Makes the answers from a question and a result. One that does not stream has one answer to each.
    decode_result
        Makes the result from an answer.
    check_answer
        Raises, given a question and its answer, if the server is of an older version that has not understood it all.
    """

    operation: Operation[Any]
    method: Method[Question, Answer]
    space: Callable[[Question], str | None]
    decode_request: Callable[[Question], Any]
    encode_request: Callable[[Any], Question]
    encode_result: Callable[[Question, Any], list[Answer]]
    decode_result: Callable[[Answer], Any]
    check_answer: Callable[[Question, Answer], None] = _as_it_is


def named_space(message: Any) -> str:
    """Return the name of the space in a message; an empty one means the default space."""
    return str(message.memory_space_id) or DEFAULT_SPACE


def whole_server(_: object) -> None:
    """Return that a question is about the server as a whole."""

"""Messages whose bytes cannot be read are answered like other bad input, instead of ending the stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from engram.errors import InvalidInput

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Malformed:
    """Stands for a message that was no message."""

    error: InvalidInput


def lenient(message_type: type[M]) -> Callable[[bytes], M | Malformed]:
    """Return a deserializer for gRPC that gives a `Malformed` where it would raise.

    gRPC answers an exception in a deserializer by ending the call, and with it a whole stream.
    """
    parse = message_type.FromString
    name = message_type.DESCRIPTOR.name

    def deserialize(data: bytes) -> M | Malformed:
        try:
            return parse(data)
        except DecodeError as error:
            reason = str(error)
        return Malformed(
            InvalidInput(
                f"{len(data)} bytes are no {name}: {reason}",
                code="malformed_message",
                field=name,
                value=f"{len(data)} bytes",
            )
        )

    return deserialize

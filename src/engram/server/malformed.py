"""Messages that cannot be parsed. They are answered like other invalid input instead of ending the stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError

from engram.errors import InvalidInput

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Malformed:
    """A placeholder for a message that could not be parsed."""

    error: InvalidInput


def lenient(name: str, parse: Callable[[bytes], T]) -> Callable[[bytes], T | Malformed]:
    """Return a deserializer for gRPC that returns a `Malformed` where `parse` raises a `DecodeError`.

    gRPC ends the call, and with it the whole stream, if a deserializer raises.

    Parameters
    ----------
    name
        Name of the message type, for the error.
    parse
        Parses the bytes of a message.
    """

    def deserialize(data: bytes) -> T | Malformed:
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

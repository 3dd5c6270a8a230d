"""Messages whose bytes cannot be read are answered like other bad input, instead of ending the stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError

from engram.errors import InvalidInput

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Malformed:
    """Stands for a message that was no message."""

    error: InvalidInput


def lenient(name: str, parse: Callable[[bytes], T]) -> Callable[[bytes], T | Malformed]:
    """Return a deserializer for gRPC that gives a `Malformed` where `parse` raises.

    gRPC answers an exception in a deserializer by ending the call, and with it a whole stream.

    Parameters
    ----------
    name
        What the bytes should be, for the error.
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

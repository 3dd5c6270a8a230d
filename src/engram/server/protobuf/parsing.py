"""Parsing that never raises, because gRPC ends a whole stream if a deserializer does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import DecodeError

from engram.errors import InvalidInput
from engram.server.malformed import Malformed

T = TypeVar("T")


def lenient(name: str, parse: Callable[[bytes], T]) -> Callable[[bytes], T | Malformed]:
    """Return a deserializer for gRPC that returns a `Malformed` where `parse` raises a `DecodeError`.

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

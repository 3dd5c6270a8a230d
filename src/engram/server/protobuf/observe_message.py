"""A request of an observe stream as the server parses it."""

from __future__ import annotations

from typing import Final, NamedTuple

from engram.server.protobuf.detach import detach_vectors
from engram.server.protobuf.parsing import lenient
from engram.wire import engram_pb2 as pb

_NO_VECTORS: Final = memoryview(b"")


class ObserveMessage(NamedTuple):
    """A request, and the vectors of its batch if they were detached from it to save copies."""

    request: pb.ObservationRequest
    vectors: memoryview = _NO_VECTORS

    @classmethod
    def parse(cls, data: bytes) -> ObserveMessage:
        """Parse the bytes of a client's request.

        Raises
        ------
        google.protobuf.message.DecodeError
            If the bytes are not a request.
        """
        rest, vectors = detach_vectors(data)
        return cls(pb.ObservationRequest.FromString(rest), vectors)


parse_request: Final = lenient("ObservationRequest", ObserveMessage.parse)
"""Returns the message in some bytes, or a `Malformed`; it never raises."""

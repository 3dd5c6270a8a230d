"""A request of an observe stream as the server takes it in."""

from __future__ import annotations

from typing import Final, NamedTuple

from engram.server.messages.detach import detach_vectors
from engram.wire import engram_pb2 as pb

_NO_VECTORS: Final = memoryview(b"")


class ObserveMessage(NamedTuple):
    """A request, and the vectors of its batch if they were taken out of it to spare copies."""

    request: pb.ObservationRequest
    vectors: memoryview = _NO_VECTORS

    @classmethod
    def parse(cls, data: bytes) -> ObserveMessage:
        """Parse what a client sent.

        Raises
        ------
        google.protobuf.message.DecodeError
            If it is no request.
        """
        rest, vectors = detach_vectors(data)
        return cls(pb.ObservationRequest.FromString(rest), vectors)

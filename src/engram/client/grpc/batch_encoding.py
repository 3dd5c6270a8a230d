"""Encoding of observe requests; it copies vectors only once, when the request is sent.

Protobuf copies a bytes field when it is set, again when its message becomes part of another one, and again when that
is serialised. Therefore protobuf encodes only the small columns here. The vectors, which are nearly all of the data,
are put before the columns, where the server finds them at once. The result is a valid protobuf message, because
protobuf allows fields in any order. It stays in parts until the sequence number is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from engram.errors import InvalidInput
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.model.observations import ObservationBatch
from engram.model.priority import Priority
from engram.model.values.presence import gathered
from engram.wire import engram_pb2 as pb
from engram.wire.observations import encode_beside_vectors
from engram.wire.raw_fields import bytes_tag, number_tag, varint

# Upper bound on the tags, lengths, the sequence number and the traceparent, which are not counted otherwise.
_FRAME_BYTES_MAX: Final = 128


RequestParts = tuple[bytes | memoryview, ...]
"""An encoded request in parts, except its sequence number."""


def encode_parts(batch: ObservationBatch, priority: Priority) -> RequestParts:
    """Return the encoded field ``batch`` of an `ObservationRequest`: the whole request except its sequence number.

    The result holds the vectors themselves and no copy, so the array must not change until the request is answered; the
    client has copied it from its caller's before.

    Raises
    ------
    InvalidInput
        With code ``batch_bytes``, if the message would be larger than a server reads. Such a message would end the
        stream and with it all other requests on it.
    """
    dim = batch.vectors.shape[1]
    matrix = gathered(batch.vectors, batch.vector_presence)
    head = encode_beside_vectors(batch, priority).SerializeToString()
    nbytes = len(head) + 4 * dim * len(matrix) + _FRAME_BYTES_MAX
    if nbytes > MESSAGE_BYTES_MAX:
        raise InvalidInput(
            f"a batch of {nbytes} bytes as a message is refused; it may have {MESSAGE_BYTES_MAX}",
            code="batch_bytes",
            field="batch",
            limit=MESSAGE_BYTES_MAX,
            value=nbytes,
        )
    if not matrix.size:
        return _BATCH_TAG + varint(len(head)), head
    vectors = np.ascontiguousarray(matrix, dtype="<f4")
    prefix = _VECTORS_TAG + varint(vectors.nbytes)
    length = len(head) + len(prefix) + vectors.nbytes
    return _BATCH_TAG + varint(length) + prefix, vectors.data.cast("B"), head


def join_request(parts: RequestParts, first_sequence: int, traceparent: str = "") -> bytes:
    """Return the whole encoded request: the sequence number and, if there is one, the span, followed by `parts`."""
    trace = (_TRACEPARENT_TAG, varint(len(traceparent)), traceparent.encode()) if traceparent else ()
    return b"".join((_SEQUENCE_TAG, varint(first_sequence), *trace, *parts))


def divide_request(request: bytes, part_bytes_max: int) -> Iterator[bytes]:
    """Yield what is sent for an encoded request: itself, or parts of at most `part_bytes_max` bytes; 0: no parts."""
    if not 0 < part_bytes_max < len(request):
        yield request
        return
    for start in range(0, len(request), part_bytes_max):
        data = request[start : start + part_bytes_max]
        part = pb.MessagePart(message_bytes=0 if start else len(request), data=data)
        yield pb.ObservationRequest(part=part).SerializeToString()


_BATCH_TAG: Final = bytes_tag(pb.ObservationRequest.BATCH_FIELD_NUMBER)
_SEQUENCE_TAG: Final = number_tag(pb.ObservationRequest.SEQUENCE_NUMBER_FIELD_NUMBER)
_TRACEPARENT_TAG: Final = bytes_tag(pb.ObservationRequest.TRACEPARENT_FIELD_NUMBER)
_VECTORS_TAG: Final = bytes_tag(pb.ObservationBatch.VECTORS_FIELD_NUMBER)

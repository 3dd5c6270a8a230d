"""Encoding of observe requests; it copies vectors only once.

Protobuf copies a bytes field when it is set, again when its message becomes part of another one, and again when that
is serialised. Therefore protobuf encodes only the small columns here. The vectors, which are nearly all of the data,
are put before the columns, where the server finds them at once. The result is a valid protobuf message, because
protobuf allows fields in any order.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from engram.errors import InvalidInput
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.model.observations import ObservationBatch
from engram.model.priority import Priority
from engram.wire import engram_pb2 as pb
from engram.wire.observations import encode_batch

_LENGTH_DELIMITED: Final = 2
# Upper bound on the tags, lengths and the sequence number, which are not counted otherwise.
_FRAME_BYTES_MAX: Final = 64
_VARINT: Final = 0


def encode_batch_field(batch: ObservationBatch, priority: Priority) -> bytes:
    """Return the encoded field ``batch`` of an `ObservationRequest`: the whole request except its sequence number.

    The vectors are copied, so the caller may change its arrays afterwards.

    Raises
    ------
    InvalidInput
        With code ``batch_bytes``, if the message would be larger than a server reads. Such a message would end the
        stream and with it all other requests on it.
    """
    dim = batch.vectors.shape[1]
    columns = encode_batch(batch.without_vectors(), priority)
    columns.dimension = dim
    head = columns.SerializeToString()
    nbytes = len(head) + 4 * dim * len(batch) + _FRAME_BYTES_MAX
    if nbytes > MESSAGE_BYTES_MAX:
        raise InvalidInput(
            f"a batch of {nbytes} bytes as a message is refused; it may have {MESSAGE_BYTES_MAX}",
            code="batch_bytes",
            field="batch",
            limit=MESSAGE_BYTES_MAX,
            value=nbytes,
        )
    if dim == 0:
        return b"".join((_BATCH_TAG, _varint(len(head)), head))
    vectors = np.ascontiguousarray(batch.vectors, dtype="<f4")
    prefix = _VECTORS_TAG + _varint(vectors.nbytes)
    length = len(head) + len(prefix) + vectors.nbytes
    return b"".join((_BATCH_TAG, _varint(length), prefix, vectors.data.cast("B"), head))


def with_sequence(batch_field: bytes, first_sequence: int) -> bytes:
    """Return the whole encoded request: the sequence number, followed by `batch_field`."""
    return b"".join((_SEQUENCE_TAG, _varint(first_sequence), batch_field))


def _varint(number: int) -> bytes:
    septets = bytearray()
    while number > 0x7F:
        septets.append(number & 0x7F | 0x80)
        number >>= 7
    septets.append(number)
    return bytes(septets)


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


_BATCH_TAG: Final = _tag(pb.ObservationRequest.BATCH_FIELD_NUMBER, _LENGTH_DELIMITED)
_SEQUENCE_TAG: Final = _tag(pb.ObservationRequest.SEQUENCE_NUMBER_FIELD_NUMBER, _VARINT)
_VECTORS_TAG: Final = _tag(pb.ObservationBatch.VECTORS_FIELD_NUMBER, _LENGTH_DELIMITED)

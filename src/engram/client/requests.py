"""Requests as bytes, put together so that vectors are copied once and not once per layer.

Protobuf copies a bytes field when it is set, again when its message becomes part of another, and again when that is
serialised. Here the small columns go through protobuf; the vectors, which are nearly everything, are joined in before
them, where the server finds them at once. The result is what protobuf itself would read and write, with fields in an
order it allows.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from engram.observations import ObservationBatch
from engram.store.intake import Priority
from engram.wire import engram_pb2 as pb
from engram.wire.observations import encode_batch

_LENGTH_DELIMITED: Final = 2
_VARINT: Final = 0


def encode_batch_field(batch: ObservationBatch, priority: Priority) -> bytes:
    """The field ``batch`` of an `ObservationRequest`: everything of the request but its sequence number.

    The caller's vectors are copied, so they may change afterwards.
    """
    dim = batch.vectors.shape[1]
    columns = encode_batch(_without_vectors(batch), priority)
    columns.dimension = dim
    head = columns.SerializeToString()
    if dim == 0:
        return b"".join((_BATCH_TAG, _varint(len(head)), head))
    vectors = np.ascontiguousarray(batch.vectors, dtype="<f4")
    prefix = _VECTORS_TAG + _varint(vectors.nbytes)
    length = len(head) + len(prefix) + vectors.nbytes
    return b"".join((_BATCH_TAG, _varint(length), prefix, vectors.data.cast("B"), head))


def with_sequence(batch_field: bytes, first_sequence: int) -> bytes:
    """The whole request: a batch under its sequence number."""
    return b"".join((_SEQUENCE_TAG, _varint(first_sequence), batch_field))


def _without_vectors(batch: ObservationBatch) -> ObservationBatch:
    return ObservationBatch(
        batch.ids,
        np.empty((len(batch.ids), 0), np.float32),
        batch.contents,
        batch.times_us,
        batch.confidences,
        batch.importances,
        batch.metadata,
        batch.tags,
    )


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

"""Conversion of messages to and from the columns of `engram.model.observations.ObservationBatch`.

Nothing here checks contents against a space; `engram.model.observations.check_batch` does that for every transport.
The only checks here are those that columns cannot express, such as that the bytes of the vectors divide into rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.columns import COLUMNS, ColumnSpec, TagsSpec
from engram.model.observations import ObservationBatch, fill_batch
from engram.model.priority import Priority
from engram.wire import engram_pb2 as pb
from engram.wire.times import from_timestamp

_VECTOR_DTYPES: Final[dict[int, np.dtype[Any]]] = {
    pb.VECTOR_TYPE_UNSPECIFIED: np.dtype("<f4"),
    pb.VECTOR_TYPE_FLOAT32: np.dtype("<f4"),
    pb.VECTOR_TYPE_FLOAT16: np.dtype("<f2"),
}
_NO_VECTORS: Final = memoryview(b"")
_PRIORITIES: Final[dict[int, Priority]] = {
    pb.PRIORITY_UNSPECIFIED: Priority.NORMAL,
    pb.PRIORITY_HIGH: Priority.HIGH,
    pb.PRIORITY_NORMAL: Priority.NORMAL,
    pb.PRIORITY_LOW: Priority.LOW,
}
_PRIORITY_NUMBERS: Final[dict[Priority, pb.Priority.ValueType]] = {
    Priority.HIGH: pb.PRIORITY_HIGH,
    Priority.NORMAL: pb.PRIORITY_NORMAL,
    Priority.LOW: pb.PRIORITY_LOW,
}


def _codec(spec: ColumnSpec) -> tuple[str, str, Callable[[Any], Any], Callable[[Any], Any]]:
    """Return the name of a column, the name of its field, and what decodes and encodes it; made once per process."""
    field = "metadata_json" if spec.name == "metadata" else spec.name
    if spec.dtype is not None:
        return spec.name, field, partial(np.array, dtype=spec.dtype), np.ndarray.tolist
    if isinstance(spec, TagsSpec):
        return spec.name, field, _decode_tags, _encode_tags
    return spec.name, field, list, lambda texts: texts if texts and any(texts) else ()


def _decode_tags(rows: Iterable[pb.TagList]) -> list[list[str]]:
    return [list(row.tags) for row in rows]


def _encode_tags(rows: Iterable[Sequence[str]] | None) -> list[pb.TagList]:
    return [pb.TagList(tags=row) for row in rows or ()]


_COLUMNS: Final = tuple(map(_codec, COLUMNS))


def decode_batch(message: pb.ObservationBatch, vectors: memoryview = _NO_VECTORS) -> ObservationBatch:
    """Return the columns of `message`. Optional columns that are empty get their defaults.

    The vectors are float32, shape ``(n, dimension)``, and read-only unless they came as float16. Their shape is
    ``(n, 0)`` if the message has none, in which case the space's embedder makes them.

    Parameters
    ----------
    message
        The batch as it was received.
    vectors
        The vectors that `engram.server.protobuf.detach` removed from the message, as bytes.

    Raises
    ------
    InvalidInput
        If the count is not the number of ids, the vector type is unknown, or the vectors are not ``count * dimension``
        numbers.
    """
    ids = list(message.ids)
    count = len(ids)
    if message.count != count:
        raise InvalidInput(
            f"the batch announces {message.count} observations and has {count} ids",
            code="column_length",
            field="ids",
            limit=message.count,
            value=count,
        )
    columns = {name: decode(values) for name, field, decode, _ in _COLUMNS if (values := getattr(message, field))}
    return fill_batch(
        ids,
        _decode_vectors(message, message.vectors or vectors, count),
        columns,
    )


def encode_batch(batch: ObservationBatch, priority: Priority = Priority.NORMAL) -> pb.ObservationBatch:
    """Return the message that carries `batch` as columns, with float32 vectors."""
    count, dim = batch.vectors.shape
    return pb.ObservationBatch(
        count=count,
        dimension=dim,
        vector_type=pb.VECTOR_TYPE_FLOAT32,
        vectors=np.ascontiguousarray(batch.vectors, dtype="<f4").tobytes(),
        ids=batch.ids,
        priority=_PRIORITY_NUMBERS[priority],
        **{field: encode(getattr(batch, name)) for name, field, _, encode in _COLUMNS},
    )


def decode_episode(message: pb.Episode) -> ObservationBatch:
    """Return the one observation in `message` as a batch.

    ``who``, ``why``, ``how``, ``where_location``, ``decay_rate`` and ``emotional_valence`` become metadata keys if they
    are present. A confidence or importance of 0 counts as not given, because proto3 cannot tell the two apart.

    Raises
    ------
    InvalidInput
        If the embedding bytes are not whole float32 numbers, the time is out of range or a number is not finite.
    """
    vector = decode_vector(message.embedding_f32, message.embedding, "embedding_f32")
    values: dict[str, Any] = {
        "contents": message.what,
        "confidences": message.encoding_confidence,
        "importances": message.importance,
        "metadata": _episode_metadata(message),
        "tags": list(message.tags),
    }
    given = {spec.name: spec.gather([values[spec.name]]) for spec in COLUMNS if values.get(spec.name)}
    if message.HasField("when"):
        given["times_us"] = np.array([from_timestamp(message.when, "when")], np.int64)
    return fill_batch([message.id], vector[None, :], given)


def decode_vector(packed: bytes, numbers: Any, field: str) -> NDArray[np.float32]:
    """Return a vector given either as little-endian float32 bytes or as a repeated field; the bytes take precedence.

    Returns
    -------
    NDArray[np.float32]
        float32, shape ``(dim,)``; read-only if it was given as bytes.

    Raises
    ------
    InvalidInput
        If the bytes are not a whole number of float32.
    """
    if not packed:
        return np.array(numbers, np.float32)
    if len(packed) % 4:
        raise InvalidInput(
            f"{field} has {len(packed)} bytes, which is no whole number of float32",
            code="invalid_vector",
            field=field,
            limit="a multiple of 4 bytes",
            value=len(packed),
        )
    return np.frombuffer(packed, dtype="<f4")


def decode_priority(number: int) -> Priority:
    """Return the priority with this wire number; unspecified means NORMAL.

    Raises
    ------
    InvalidInput
        If there is no such priority.
    """
    priority = _PRIORITIES.get(number)
    if priority is None:
        raise InvalidInput(
            f"there is no priority {number}", code="invalid_priority", field="priority", limit="0..3", value=number
        )
    return priority


def encode_priority(priority: Priority) -> pb.Priority.ValueType:
    """Return the wire number of `priority`."""
    return _PRIORITY_NUMBERS[priority]


def _decode_vectors(message: pb.ObservationBatch, packed: bytes | memoryview, count: int) -> NDArray[np.float32]:
    if not packed:
        return np.empty((count, 0), np.float32)
    dtype = _VECTOR_DTYPES.get(message.vector_type)
    if dtype is None:
        raise InvalidInput(
            f"there is no vector type {message.vector_type}",
            code="invalid_vector_type",
            field="vector_type",
            limit="FLOAT32 or FLOAT16",
            value=message.vector_type,
        )
    size = count * message.dimension * dtype.itemsize
    if len(packed) != size or not size:
        raise InvalidInput(
            f"{count} vectors of dimension {message.dimension} take {size} bytes; {len(packed)} came",
            code="vectors_size",
            field="vectors",
            limit=size,
            value=len(packed),
        )
    rows = np.frombuffer(packed, dtype=dtype).reshape(count, message.dimension)
    return rows.astype(np.float32, copy=False)


def _episode_metadata(message: pb.Episode) -> str:
    metadata: dict[str, Any] = dict(message.metadata)
    if message.who:
        metadata["who"] = list(message.who)
    for name in ("why", "how", "where_location"):
        text = getattr(message, name)
        if text:
            metadata[name] = text
    for name in ("decay_rate", "emotional_valence"):
        number = getattr(message, name)
        if number:
            # A float32 has only seven significant digits; more would only show its binary rounding.
            metadata[name] = float(f"{number:.7g}")
    if not metadata:
        return ""
    try:
        return json.dumps(metadata, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise InvalidInput(
            "decay_rate and emotional_valence must be finite", code="invalid_metadata", field="decay_rate"
        ) from error

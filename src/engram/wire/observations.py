"""Conversion of messages to and from the columns of `engram.model.observations.ObservationBatch`.

Nothing here checks contents against a space; `engram.model.batches.checks.check_batch` does that for every transport.
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
from engram.model.columns import COLUMNS, ColumnSpec, ShareSpec, TagsSpec
from engram.model.observations import ObservationBatch, fill_batch
from engram.model.operations.changes import ObservationChanges
from engram.model.priority import Priority
from engram.model.times import check_time_us
from engram.model.values.expiry import as_ttl_us, check_one_expiry, never_if_not_said
from engram.model.values.presence import gathered, pack_presence, read_presence, spread
from engram.wire import engram_pb2 as pb
from engram.wire.raw_fields import bytes_tag, varint
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


def _field_of(spec: ColumnSpec) -> str:
    return "metadata_json" if spec.name == "metadata" else spec.name


def _codec(spec: ColumnSpec) -> tuple[str, str, Callable[[Any], Any], Callable[[pb.ObservationBatch, Any], None]]:
    """Return the name of a column, the name of its field, and what decodes and adds it; made once per process."""
    field = _field_of(spec)
    if spec.dtype is not None:
        tag = bytes_tag(pb.ObservationBatch.DESCRIPTOR.fields_by_name[field].number)
        blank = spec.default if isinstance(spec, ShareSpec) else None
        return spec.name, field, partial(np.array, dtype=spec.dtype), partial(_add_numbers, tag, blank)
    if isinstance(spec, TagsSpec):
        return spec.name, field, _decode_tags, _add_tags
    return spec.name, field, list, partial(_add_texts, field)


def _decode_tags(rows: Iterable[pb.TagList]) -> list[list[str]]:
    # A slice is a list, made at half the cost of iterating.
    return [row.tags[:] for row in rows]


def _add_numbers(tag: bytes, blank: float | None, message: pb.ObservationBatch, values: NDArray[Any] | None) -> None:
    # An empty column stands for what an observation has if nothing else is given.
    if values is None:
        return
    if blank is None or not (values == blank).all():
        # The bytes of the array are those of the field, so protobuf need not take the numbers one by one.
        packed = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        message.MergeFromString(tag + varint(len(packed)) + packed)


def _add_texts(field: str, message: pb.ObservationBatch, texts: Sequence[str] | None) -> None:
    if texts and any(texts):
        getattr(message, field).extend(texts)


def _add_tags(message: pb.ObservationBatch, rows: Iterable[Sequence[str]] | None) -> None:
    for row in rows or ():
        # Created in place, because protobuf copies a message that is created elsewhere.
        message.tags.add(tags=row)


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
    ids = _decode_ids(message)
    columns = _decode_columns(message)
    presence = read_presence(message.vector_presence, len(ids), "vector_presence")
    columns["vector_presence"] = presence
    columns["text_presence"] = read_presence(message.text_presence, len(ids), "text_presence")
    given = len(ids) if presence is None else int(np.count_nonzero(presence))
    rows = spread(_decode_vectors(message, message.vectors or vectors, given), presence)
    return fill_batch(ids, rows, columns, embeds=not message.without_embedding)


def decode_changes(message: pb.ObservationBatch) -> ObservationChanges:
    """Return what an update changes: the columns of `message` that are not empty. Raises as `decode_batch`."""
    ids = _decode_ids(message)
    for field in ("vector_presence", "text_presence", "without_embedding"):
        if getattr(message, field):
            raise InvalidInput(
                "each row of an update has a new vector, or a new text, or the column is left out",
                code="invalid_column",
                field=field,
                limit="not given",
                value="given",
            )
    vectors = _decode_vectors(message, message.vectors, len(ids)) if message.vectors else None
    columns = _decode_columns(message)
    if "expires_us" in columns:
        columns["expires_us"] = never_if_not_said(columns["expires_us"], len(ids))
    return ObservationChanges(ids, vectors, columns)


def encode_changes(changes: ObservationChanges, priority: Priority) -> pb.ObservationBatch:
    """Return the message that carries what an update changes, with float32 vectors."""
    # As in a batch, so that a server of before does not change all but the expiry.
    count = 0 if changes.columns.get("expires_us") is not None else len(changes)
    message = pb.ObservationBatch(count=count, ids=changes.ids, priority=_PRIORITY_NUMBERS[priority])
    if changes.vectors is not None:
        message.dimension = changes.vectors.shape[1]
        message.vector_type = pb.VECTOR_TYPE_FLOAT32
        message.vectors = np.ascontiguousarray(changes.vectors, dtype="<f4").tobytes()
    for spec in COLUMNS:
        # Unlike in a batch, what is the default is a change like any other.
        column = changes.columns.get(spec.name)
        if isinstance(spec, TagsSpec):
            _add_tags(message, column)
        elif column is not None:
            getattr(message, _field_of(spec)).extend(column if spec.dtype is None else column.tolist())
    return message


def encode_batch(batch: ObservationBatch, priority: Priority = Priority.NORMAL) -> pb.ObservationBatch:
    """Return the message that carries `batch` as columns, with float32 vectors."""
    message = encode_beside_vectors(batch, priority)
    message.vectors = np.ascontiguousarray(gathered(batch.vectors, batch.vector_presence), dtype="<f4").tobytes()
    return message


def encode_beside_vectors(batch: ObservationBatch, priority: Priority) -> pb.ObservationBatch:
    """Return the message that carries `batch`, with everything except the vectors, for who sends them by themselves."""
    count, dim = batch.vectors.shape
    # A server of before passes over what it does not know, and would store what never expires, or an empty text. It
    # refuses a batch whose count is not the number of its ids.
    says_more = batch.expires_us is not None or batch.text_presence is not None
    message = pb.ObservationBatch(
        count=0 if says_more else count,
        dimension=dim,
        vector_type=pb.VECTOR_TYPE_FLOAT32,
        ids=batch.ids,
        priority=_PRIORITY_NUMBERS[priority],
    )
    for name, _, _, add in _COLUMNS:
        add(message, getattr(batch, name))
    if batch.vector_presence is not None:
        message.vector_presence = pack_presence(batch.vector_presence).tobytes()
    if batch.text_presence is not None:
        message.text_presence = pack_presence(batch.text_presence).tobytes()
    if not batch.embeds:
        message.without_embedding = True
    return message


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
    if (expires_us := _episode_expiry(message)) is not None:
        given["expires_us"] = np.array([expires_us], np.int64)
    if message.HasField("when"):
        given["times_us"] = np.array([from_timestamp(message.when, "when")], np.int64)
    if message.no_text:
        given["text_presence"] = np.zeros(1, np.bool_)
        given["contents"] = [""]
    return fill_batch([message.id], vector[None, :], given, embeds=not message.without_embedding)


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


def _decode_ids(message: pb.ObservationBatch) -> list[str]:
    ids = list(message.ids)
    # A batch that says more than a server of before knows leaves its count out, so that this one refuses it.
    may_be_left_out = bool(message.expires_us or message.text_presence)
    if message.count != len(ids) and (message.count or not may_be_left_out):
        raise InvalidInput(
            f"the batch announces {message.count} observations and has {len(ids)} ids",
            code="column_length",
            field="ids",
            limit=message.count,
            value=len(ids),
        )
    return ids


def _decode_columns(message: pb.ObservationBatch) -> dict[str, Any]:
    return {name: decode(values) for name, field, decode, _ in _COLUMNS if (values := getattr(message, field))}


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


def _episode_expiry(message: pb.Episode) -> int | None:
    """Return the number of a column that says when an observation expires; None if nothing is said."""
    expires_us = message.expires_us if message.HasField("expires_us") else None
    ttl_s = message.ttl_s if message.HasField("ttl_s") else None
    check_one_expiry(expires_us, ttl_s)
    if ttl_s is not None:
        return as_ttl_us(ttl_s, "ttl_s")
    return None if expires_us is None else check_time_us(expires_us, "expires_us")


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

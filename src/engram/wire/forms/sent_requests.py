"""The requests of operations as a client sends them: JSON, or a frame if they have columns of numbers.

What is written here, `engram.wire.forms.requests` reads. An operation that is added to the table can be sent at once,
unless one of its arguments is of a class that no row of `_WRITERS` knows.
"""

from __future__ import annotations

import binascii
import dataclasses
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.columns import COLUMNS, EMBED, MetadataSpec
from engram.model.cue import NO_FILTER, Between, Cue, Filter
from engram.model.filters.conditions import Condition
from engram.model.filters.objects import object_of_condition
from engram.model.limits import JSON_BYTES_MAX, MESSAGE_BYTES_MAX
from engram.model.many.many_query import ManyQuery
from engram.model.observations import ObservationBatch
from engram.model.operations.changes import ObservationChanges
from engram.model.operations.operation import Operation, Request
from engram.model.operations.requests import StreamRecall
from engram.model.operations.table import OPERATIONS
from engram.model.priority import Priority
from engram.model.query import RecallQuery
from engram.model.spaces import VECTORS_DEFAULT, SpaceConfig
from engram.model.times import iso_time
from engram.model.values.presence import gathered
from engram.tracing.switch import present_recorder
from engram.wire.forms.results import encode_json
from engram.wire.frames import encode_frame, encode_frame_in_place

Fields = dict[str, Any]
Arrays = dict[str, NDArray[Any]]

OPERATION_OF: Final[dict[type[Request[Any]], Operation[Any]]] = {each.request: each for each in OPERATIONS.values()}
"""The operations by the classes of their requests."""

_STREAMED_ONLY: Final = frozenset({"batch_size", "include_recent", "follow", "timeout_ms"})
_QUERY_DEFAULTS: Final = {
    field.name: field.default for field in dataclasses.fields(RecallQuery) if field.default is not dataclasses.MISSING
}
_BATCH_START: Final = b'{"type":"observation_batch","sequence_number":'
# Blanks may stand before a number, so the digits take the same place whatever the number is.
_SEQUENCE_DIGITS: Final = 19
_NUMBER_PLACE: Final = 4 + len(_BATCH_START)
_NUMBER_END: Final = _NUMBER_PLACE + _SEQUENCE_DIGITS
_TRACE_START: Final = b',"traceparent":"'
# A traceparent of version 00 (W3C Trace Context) has 55 characters.
_TRACE_ROOM: Final = b" " * (len(_TRACE_START) + 55 + 1)


def encode_request(request: Request[Any], beside: Fields) -> tuple[bytes, bool]:
    """Return the request of an operation as one message, and whether that is a frame, as is all that is large.

    Parameters
    ----------
    request
        The request.
    beside
        Further fields, which stand in front.

    Raises
    ------
    InvalidInput
        With code ``message_bytes``, if the message is larger than a server reads.
    """
    fields, arrays = _parts_of(request)
    header = {**beside, **fields}
    made = b"" if arrays else encode_json(header)
    # A frame may be larger than a text.
    is_frame = bool(arrays) or len(made) > JSON_BYTES_MAX
    if is_frame:
        made = encode_frame(header, arrays, encode_json)
    if len(made) > MESSAGE_BYTES_MAX:
        raise _too_large("message_bytes", "message", "a request", len(made))
    return made, is_frame


def encode_batch(batch: ObservationBatch, priority: Priority) -> bytearray:
    """Return the frame that observes `batch` in a session, with room for its sequence number; see `number_batch`.

    While spans are recorded, there is room for one, too.

    Raises
    ------
    InvalidInput
        With code ``batch_bytes``, if the frame is larger than a server reads.
    """
    fields, arrays = _batch_parts(batch)
    room = b"" if present_recorder() is None else _TRACE_ROOM
    number = Raw(b"0".rjust(_SEQUENCE_DIGITS) + room)
    header = {"type": "observation_batch", "sequence_number": number, **fields, **_priority_fields(priority)}
    frame = encode_frame_in_place(header, arrays, encode_json)
    if len(frame) > MESSAGE_BYTES_MAX:
        raise _too_large("batch_bytes", "batch", "a batch", len(frame))
    return frame


def number_batch(frame: bytearray, first_sequence: int, traceparent: str = "") -> None:
    """Give the first observation in a frame that `encode_batch` made the number `first_sequence`, and the frame a span.

    Without `traceparent`, or without room for it, the frame names no span.
    """
    frame[_NUMBER_PLACE:_NUMBER_END] = str(first_sequence).rjust(_SEQUENCE_DIGITS).encode()
    end = _NUMBER_END + len(_TRACE_ROOM)
    has_room = frame[_NUMBER_END:end] == _TRACE_ROOM or frame.startswith(_TRACE_START, _NUMBER_END)
    if has_room:
        # It may be sent a second time, to a server that knows less.
        field = _TRACE_START + traceparent.encode() + b'"' if traceparent else b""
        frame[_NUMBER_END:end] = field.ljust(len(_TRACE_ROOM))


def _parts_of(request: Request[Any]) -> tuple[Fields, Arrays]:
    made: Fields = {}
    arrays: Arrays = {}
    for field in dataclasses.fields(cast("Any", request)):
        value = getattr(request, field.name)
        if value is None or value == "":
            continue
        if isinstance(value, RecallQuery):
            fields, more = _query_parts(value, streams=isinstance(request, StreamRecall))
        elif type(value) in _WRITERS:
            fields, more = _WRITERS[type(value)](value)
        elif isinstance(value, Filter | Condition):
            fields, more = {field.name: filter_fields(value)}, {}
        elif field.name.endswith("_us"):
            fields, more = {field.name.removesuffix("_us") + "_time": iso_time(value)}, {}
        else:
            fields, more = {field.name: value}, {}
        made |= fields
        arrays |= more
    return made, arrays


def _batch_parts(batch: ObservationBatch) -> tuple[Fields, Arrays]:
    fields: Fields = {"ids": batch.ids}
    arrays: Arrays = {}
    for spec in COLUMNS:
        column = getattr(batch, spec.name)
        if column is None:
            continue
        if spec.dtype is np.int64:
            arrays[spec.plural] = column
        elif spec.dtype is not None:
            if (column != spec.blank()).any():
                arrays[spec.plural] = column
        elif isinstance(spec, MetadataSpec):
            fields[spec.plural] = [Raw(text.encode()) if text else None for text in column]
        elif any(column):
            fields[spec.plural] = column
    if batch.text_presence is not None:
        has_text = batch.text_presence.tolist()
        fields["contents"] = [text if has else None for text, has in zip(batch.contents, has_text, strict=True)]
    if batch.vectors.shape[1]:
        arrays["vectors"] = gathered(batch.vectors, batch.vector_presence)
    if batch.vector_presence is not None:
        arrays["vector_presence"] = batch.vector_presence.view(np.uint8)
    if not batch.embeds:
        fields[EMBED] = False
    return fields, arrays


def _changes_parts(changes: ObservationChanges) -> tuple[Fields, Arrays]:
    fields: Fields = {"ids": changes.ids}
    arrays: Arrays = {} if changes.vectors is None else {"vectors": changes.vectors}
    for spec in COLUMNS:
        # Unlike in a batch, what is the default is a change like any other.
        column = changes.columns.get(spec.name)
        if column is None:
            continue
        if spec.dtype is not None:
            arrays[spec.plural] = column
        elif isinstance(spec, MetadataSpec):
            fields[spec.plural] = [Raw(text.encode()) if text else None for text in column]
        else:
            fields[spec.plural] = column
    return fields, arrays


def _priority_fields(priority: Priority) -> Fields:
    return {} if priority is Priority.NORMAL else {"priority": priority.name.lower()}


def _config_fields(config: SpaceConfig) -> Fields:
    made: Fields = {"space": config.name, "dimension": config.dim, "metric": config.metric, "embedder": config.embedder}
    if config.vectors != VECTORS_DEFAULT:
        # A server of before refuses the field, and makes no space of another kind.
        made["vectors"] = config.vectors
    if config.ttl_s is not None:
        made["ttl_s"] = config.ttl_s
    return {name: value for name, value in made.items() if value != ""}


def _query_parts(query: RecallQuery, *, streams: bool) -> tuple[Fields, Arrays]:
    fields, arrays = _cue_parts(query.cue)
    fields["k"] = query.k
    for name, default in _QUERY_DEFAULTS.items():
        value = getattr(query, name)
        if value == default or name == "k" or (name in _STREAMED_ONLY and not streams):
            continue
        if name == "snapshot_us":
            fields["snapshot_time"] = iso_time(value)
        elif name == "strength":
            fields[name] = {key: each for key, each in dataclasses.asdict(value).items() if each is not None}
        else:
            fields[name] = value
    return fields, arrays


def _many_parts(query: ManyQuery) -> tuple[Fields, Arrays]:
    fields, _ = _query_parts(query.common, streams=False)
    if query.common.cue.conditions.is_open:
        del fields["filter"]
    if query.due_us:
        fields["due_time"] = iso_time(query.due_us)
    cues = query.cues
    if cues.vectors is not None and len(cues):
        return fields, {"vectors": cues.vectors}
    return {**fields, "cues": list(map(_cue_object, cues.listed))}, {}


def _cue_object(cue: Cue) -> Fields:
    fields, arrays = _cue_parts(cue)
    if arrays:
        packed = np.asarray(arrays["vector"], "<f4").tobytes()
        fields["vector"] = binascii.b2a_base64(packed, newline=False).decode()
    return fields


def _cue_parts(cue: Cue) -> tuple[Fields, Arrays]:
    fields: Fields = {}
    if cue.text:
        fields["text"] = cue.text
    if cue.by != "similarity":
        fields["by"] = cue.by
    if cue.score_min is not None:
        fields["score_min"] = cue.score_min
    if cue.filter is not NO_FILTER or not cue.ranks:
        fields["filter"] = filter_fields(cue.conditions)
    return fields, {} if cue.vector is None else {"vector": np.asarray(cue.vector)}


def filter_fields(wanted: Filter | Condition) -> Fields:
    """Return a filter as an object of JSON."""
    if isinstance(wanted, Condition):
        return object_of_condition(wanted)
    made: Fields = {}
    for name, time_us in (("since", wanted.since_us), ("until", wanted.until_us)):
        if time_us is not None:
            made[name] = iso_time(time_us)
    for name in ("tags", "without_tags"):
        if tags := getattr(wanted, name):
            made[name] = sorted(tags)
    if wanted.metadata:
        made["metadata"] = {
            key: {"between": (value.low, value.high)} if isinstance(value, Between) else value
            for key, value in wanted.metadata.items()
        }
    if wanted.confidence_min:
        made["confidence_min"] = wanted.confidence_min
    return made


def _too_large(code: str, field: str, what: str, nbytes: int) -> InvalidInput:
    return InvalidInput(
        f"{what} of {nbytes} bytes as a message is refused; it may have {MESSAGE_BYTES_MAX}",
        code=code,
        field=field,
        limit=MESSAGE_BYTES_MAX,
        value=nbytes,
    )


_WRITERS: Final[dict[type, Callable[[Any], tuple[Fields, Arrays]]]] = {
    ObservationBatch: _batch_parts,
    ObservationChanges: _changes_parts,
    ManyQuery: _many_parts,
    Priority: lambda priority: (_priority_fields(priority), {}),
    SpaceConfig: lambda config: (_config_fields(config), {}),
}

"""A digest of a request: what tells whether two requests ask for the same, however each of them was encoded."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence, Set
from enum import Enum
from typing import Any, Final

import numpy as np

from engram.model.columns import COLUMNS, MetadataSpec, TimeSpec
from engram.model.observations import ObservationBatch
from engram.model.operations.changes import ObservationChanges
from engram.model.operations.operation import Request

# It says which request is repeated, and nothing about what it asks for.
_KEY: Final = "idempotency_key"


def request_digest(request: Request[Any]) -> bytes:
    """Return 32 bytes that are the same for two requests if, and only if, these ask for the same.

    The idempotency key of a request does not count, nor do times that nobody gave, and which are those of the arrival.
    """
    digest = hashlib.blake2b(digest_size=32)
    _feed(digest.update, request)
    return digest.digest()


def _feed(add: Callable[[Any], None], value: object) -> None:
    """Add a value. Each part has its kind and its length in front, so that no two values give the same bytes."""
    if isinstance(value, Enum):
        value = value.name
    if isinstance(value, str):
        _part(add, b"s", value.encode("utf-8", "surrogatepass"))
    elif value is None or isinstance(value, bool | int | float):
        # Numbers that are equal ask for the same: a transport may have made 1.0 of 1.
        is_whole = isinstance(value, float) and value.is_integer()
        _part(add, b"v", repr(int(value or 0) if is_whole else value).encode())
    elif isinstance(value, np.ndarray):
        _part(add, b"a", f"{value.dtype.str}{value.shape}".encode())
        add(np.ascontiguousarray(value).data)
    elif isinstance(value, ObservationBatch):
        _feed_batch(add, value)
    elif isinstance(value, ObservationChanges):
        _feed_changes(add, value)
    else:
        _feed_parts(add, value)


def _feed_parts(add: Callable[[Any], None], value: object) -> None:
    name = type(value).__name__
    if dataclasses.is_dataclass(value):
        # What is private follows from the rest.
        fields = [field.name for field in dataclasses.fields(value) if field.compare and field.name[0] != "_"]
        fields = [name for name in fields if name != _KEY]
        parts: list[Any] = [part for field in fields for part in (field, getattr(value, field))]
    elif isinstance(value, Mapping):
        name, parts = "m", [part for key in sorted(value) for part in (key, value[key])]
    elif isinstance(value, Set):
        name, parts = "s", sorted(value)
    elif isinstance(value, Sequence):
        name, parts = "l", list(value)
    else:
        raise TypeError(f"a request with a {name} has no digest")
    _part(add, b"p", f"{name} {len(parts)}".encode())
    for part in parts:
        _feed(add, part)


def _feed_batch(add: Callable[[Any], None], batch: ObservationBatch) -> None:
    _feed(add, list(batch.ids))
    _feed(add, batch.vectors)
    for spec in COLUMNS:
        column = getattr(batch, spec.name)
        if isinstance(spec, TimeSpec) and not batch.has_times:
            column = None
        elif isinstance(spec, MetadataSpec) and column is not None:
            column = [_canonical(text) for text in column]
        if spec.optional and spec.dtype is None and column is not None and not any(column):
            column = None
        _feed(add, column)
    # Nothing of it in a batch as most are, whose digest stays what it was.
    for name in ("vector_presence", "text_presence"):
        presence = getattr(batch, name)
        if presence is not None:
            _part(add, b"n", name.encode())
            _feed(add, presence)
    if not batch.embeds:
        _part(add, b"n", b"embeds")


def _feed_changes(add: Callable[[Any], None], changes: ObservationChanges) -> None:
    _feed(add, list(changes.ids))
    _feed(add, changes.vectors)
    for spec in COLUMNS:
        # Unlike in a batch, what is not named is something else than what is empty.
        column = changes.columns.get(spec.name)
        if isinstance(spec, MetadataSpec) and column is not None:
            column = [_canonical(text) for text in column]
        _feed(add, column)


def _canonical(metadata: str) -> str:
    """Return a JSON object in the one form that all its forms have in common; what is none, as it is."""
    try:
        return json.dumps(json.loads(metadata), sort_keys=True) if metadata else ""
    except (ValueError, RecursionError):
        return metadata


def _part(add: Callable[[Any], None], kind: bytes, content: bytes) -> None:
    add(kind + len(content).to_bytes(8, "little"))
    add(content)

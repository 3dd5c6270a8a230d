"""Errors in JSON: the same object in bodies of HTTP, in messages of WebSocket and inside acknowledgements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engram.errors import EngramError
from engram.wire.error_kinds import class_of, kind_of, shorten


def error_object(error: EngramError) -> dict[str, Any]:
    """Return the object that reports `error`, its texts cut to a bounded length."""
    made: dict[str, Any] = {
        "code": shorten(error.code),
        "message": shorten(error.message),
        "field": shorten(error.field),
        "limit": shorten(error.limit),
        "value": shorten(error.value),
        "kind": kind_of(error),
    }
    if error.retry_after_ms is not None:
        made["retry_after_ms"] = error.retry_after_ms
    if error.expected_sequence is not None:
        made["expected_sequence"] = error.expected_sequence
    return made


def error_from(made: Mapping[str, Any]) -> EngramError:
    """Return the error that an object reports. An unknown kind becomes a plain `EngramError`."""
    return class_of(str(made.get("kind", "")))(
        str(made.get("message", "")),
        code=str(made.get("code", "")) or None,
        field=str(made.get("field", "")),
        limit=made.get("limit", ""),
        value=made.get("value", ""),
        retry_after_ms=_whole(made.get("retry_after_ms")),
        expected_sequence=_whole(made.get("expected_sequence")),
    )


def _whole(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None

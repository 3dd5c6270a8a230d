"""Conversion of `EngramError` to and from the message `ErrorDetail`, which is the same on every transport."""

from __future__ import annotations

from typing import Final

from engram.errors import (
    AlreadyExists,
    CorruptData,
    EngramError,
    FailedPrecondition,
    InvalidInput,
    NewerFormat,
    NotFound,
    OverCapacity,
    PermissionDenied,
    SequenceError,
    Unauthenticated,
    Unavailable,
)
from engram.wire import engram_pb2 as pb

# Details travel in headers of at most 8 KiB, so each text of an error is cut to this length.
_TEXT_CHARACTERS_MAX: Final = 400

_KINDS: Final[dict[str, type[EngramError]]] = {
    kind.default_code: kind
    for kind in (
        InvalidInput,
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        SequenceError,
        OverCapacity,
        Unavailable,
        CorruptData,
        NewerFormat,
        Unauthenticated,
        PermissionDenied,
        EngramError,
    )
}


def encode_error(error: EngramError) -> pb.ErrorDetail:
    """Return the message for `error`, its texts cut to a bounded length."""
    return pb.ErrorDetail(
        code=shorten(error.code),
        field=shorten(error.field),
        limit=shorten(error.limit),
        value=shorten(error.value),
        message=shorten(error.message),
        expected_sequence=error.expected_sequence or 0,
        retry_after_ms=error.retry_after_ms or 0,
        kind=kind_of(error),
    )


def decode_error(detail: pb.ErrorDetail) -> EngramError:
    """Return the error in `detail`. An unknown kind becomes a plain `EngramError`."""
    kind = _KINDS.get(detail.kind, EngramError)
    return kind(
        detail.message,
        code=detail.code or None,
        field=detail.field,
        limit=detail.limit,
        value=detail.value,
        retry_after_ms=detail.retry_after_ms or None,
        expected_sequence=detail.expected_sequence or None,
    )


def kind_of(error: EngramError) -> str:
    """Return the name of the most precise class of `error` that has a name on the wire."""
    for kind in type(error).__mro__:
        code = getattr(kind, "default_code", "")
        if code in _KINDS:
            return str(code)
    return EngramError.default_code


def shorten(text: str) -> str:
    """Return `text` as valid Unicode, cut to a bounded length."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _TEXT_CHARACTERS_MAX else text[: _TEXT_CHARACTERS_MAX - 3] + "..."

"""Conversion of `EngramError` to and from the message `ErrorDetail`."""

from __future__ import annotations

from engram.errors import EngramError
from engram.wire import engram_pb2 as pb
from engram.wire.error_kinds import class_of, kind_of, shorten


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
    return class_of(detail.kind)(
        detail.message,
        code=detail.code or None,
        field=detail.field,
        limit=detail.limit,
        value=detail.value,
        retry_after_ms=detail.retry_after_ms or None,
        expected_sequence=detail.expected_sequence or None,
    )

"""Conversion of `EngramError` to and from the status that ends a gRPC call.

A gRPC status carries the `ErrorDetail`, and a `RetryInfo` if there is a retry time, in the standard
``grpc-status-details-bin`` trailer, so that clients in any language can read field, limit, value and retry time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

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
from engram.wire.error_kinds import kind_of, shorten
from engram.wire.errors import decode_error, encode_error

DETAILS_KEY: Final = "grpc-status-details-bin"
_TOO_LARGE: Final = re.compile(r"message(?: length)? larger than max \(?(\d+) vs\.? (\d+)\)?", re.IGNORECASE)

_STATUS_OF_KIND: Final[dict[str, grpc.StatusCode]] = {
    InvalidInput.default_code: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound.default_code: grpc.StatusCode.NOT_FOUND,
    AlreadyExists.default_code: grpc.StatusCode.ALREADY_EXISTS,
    FailedPrecondition.default_code: grpc.StatusCode.FAILED_PRECONDITION,
    SequenceError.default_code: grpc.StatusCode.FAILED_PRECONDITION,
    OverCapacity.default_code: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable.default_code: grpc.StatusCode.UNAVAILABLE,
    CorruptData.default_code: grpc.StatusCode.DATA_LOSS,
    NewerFormat.default_code: grpc.StatusCode.FAILED_PRECONDITION,
    Unauthenticated.default_code: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDenied.default_code: grpc.StatusCode.PERMISSION_DENIED,
    EngramError.default_code: grpc.StatusCode.INTERNAL,
}
# For calls that gRPC itself or a proxy ended, without a detail. All other statuses become a plain `EngramError`.
_KIND_OF_STATUS: Final[dict[grpc.StatusCode, type[EngramError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverCapacity,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DATA_LOSS: CorruptData,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
}


def status_code(error: EngramError) -> grpc.StatusCode:
    """Return the code of the gRPC status that ends a call with `error`."""
    return _STATUS_OF_KIND[kind_of(error)]


def status_trailers(error: EngramError) -> tuple[tuple[str, bytes], ...]:
    """Return the trailing metadata that carries the detail of `error` beside its gRPC status."""
    status = Status(code=status_code(error).value[0], message=shorten(error.message))
    status.details.add().Pack(encode_error(error))
    if error.retry_after_ms:
        retry = RetryInfo()
        retry.retry_delay.FromMilliseconds(error.retry_after_ms)
        status.details.add().Pack(retry)
    return ((DETAILS_KEY, status.SerializeToString()),)


def decode_status(
    code: grpc.StatusCode, message: str | None, trailers: Iterable[tuple[str, str | bytes]] | None
) -> EngramError:
    """Return the error of a failed call, from its status code, message and trailing metadata."""
    for key, value in trailers or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            error = _unpack_detail(value)
            if error is not None:
                return error
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and (sizes := _TOO_LARGE.search(message or "")):
        # gRPC reports its own message size limit with the status for a temporary shortage, but retrying cannot help.
        return InvalidInput(
            f"a message of {sizes[1]} bytes is larger than the {sizes[2]} that gRPC takes here: send or ask for less",
            code="message_bytes",
            field="message",
            limit=sizes[2],
            value=sizes[1],
        )
    kind = _KIND_OF_STATUS.get(code, EngramError)
    return kind(message or code.name, code=None if kind is not EngramError else code.name.lower())


def _unpack_detail(trailer: bytes) -> EngramError | None:
    detail = pb.ErrorDetail()
    try:
        for packed in Status.FromString(trailer).details:
            if packed.Unpack(detail):
                return decode_error(detail)
    except DecodeError:
        pass  # The trailer was not written by Engram. The status code alone still tells the kind of error.
    return None

"""Errors as HTTP has them: a status, headers, and a body of the type ``application/problem+json``."""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from typing import Final

from engram.errors import (
    AlreadyExists,
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
from engram.wire.error_kinds import kind_of
from engram.wire.forms.failures import error_object

PROBLEM_TYPE: Final = "application/problem+json"

_STATUS_OF_KIND: Final[dict[str, int]] = {
    InvalidInput.default_code: 400,
    Unauthenticated.default_code: 401,
    PermissionDenied.default_code: 403,
    NotFound.default_code: 404,
    AlreadyExists.default_code: 409,
    FailedPrecondition.default_code: 409,
    SequenceError.default_code: 409,
    NewerFormat.default_code: 409,
    OverCapacity.default_code: 429,
    Unavailable.default_code: 503,
}
# Where HTTP has a status of its own for what is an invalid input.
_STATUS_OF_CODE: Final[dict[str, int]] = {
    "method_not_allowed": 405,
    "request_timeout": 408,
    "message_bytes": 413,
    "json_bytes": 413,
    "batch_bytes": 413,
    "media_type": 415,
    "body_encoding": 415,
    "header_bytes": 431,
}
# A shortage that passes says when to come back, also where nobody has measured how long it takes.
_RETRY_AFTER_S: Final = 1

Headers = list[tuple[bytes, bytes]]


def status_of(error: EngramError) -> int:
    """Return the HTTP status of an answer that is `error`."""
    return _STATUS_OF_CODE.get(error.code) or _STATUS_OF_KIND.get(kind_of(error), 500)


def problem_body(error: EngramError, beside: Mapping[str, object] | None = None) -> bytes:
    """Return `error` as the body of an answer, with further fields if there are any."""
    status = status_of(error)
    described = error_object(error)
    problem = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": described["message"],
    }
    return json.dumps({**problem, **described, **(beside or {})}, ensure_ascii=False, separators=(",", ":")).encode()


def problem_headers(error: EngramError, body: bytes) -> Headers:
    """Return the headers of the answer that is `error`; `body` is its body."""
    headers = [
        (b"content-type", PROBLEM_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    status = status_of(error)
    if status in (429, 503) and error.is_transient:
        seconds = _RETRY_AFTER_S if error.retry_after_ms is None else -(-error.retry_after_ms // 1000)
        headers.append((b"retry-after", str(max(seconds, _RETRY_AFTER_S)).encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.code == "method_not_allowed":
        headers.append((b"allow", error.limit.encode()))
    return headers


def problem_bytes(error: EngramError) -> bytes:
    """Return the whole answer as it stands on the wire, for what is refused before it is a request."""
    body = problem_body(error)
    status = http.HTTPStatus(status_of(error))
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [name + b": " + value for name, value in problem_headers(error, body)]
    lines += [b"x-content-type-options: nosniff", b"connection: close", b"", body]
    return b"\r\n".join(lines)

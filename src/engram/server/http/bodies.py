"""The body of a request, read within a limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from engram.errors import InvalidInput
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.streaming.pressure.receiving import Arriving

JSON_TYPE: Final = "application/json"
LINES_TYPE: Final = "application/x-ndjson"
FRAME_TYPE: Final = "application/vnd.engram.frame"
BODY_TYPES: Final = (JSON_TYPE, LINES_TYPE, FRAME_TYPE)
# Their bodies are read piece by piece, and each piece has a limit of its own.
_STREAMED_TYPES: Final = frozenset({LINES_TYPE})
_BODILESS_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Return the values of a header, whose `name` is in lower case."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def media_type(scope: Scope) -> str:
    """Return the media type of the body, without parameters; ``""`` if it is not told."""
    values = header_values(scope, b"content-type")
    return values[0].partition(";")[0].strip().lower() if len(values) == 1 else ""


def check_body(scope: Scope) -> None:
    """Check what the headers say about the body, before any of it is read.

    Raises
    ------
    InvalidInput
        If there is a body where none is read, or one that is too large, compressed or of another type.
    """
    lengths = header_values(scope, b"content-length")
    transfers = header_values(scope, b"transfer-encoding")
    has_body = bool(transfers) or any(length.strip() != "0" for length in lengths)
    _check_encoding(header_values(scope, b"content-encoding"), transfers)
    method = scope["method"]
    if has_body and method in _BODILESS_METHODS:
        raise InvalidInput(
            f"a {method} has a body, which nothing would read; send it with POST",
            code="unexpected_body",
            field="body",
            limit="no body",
            value=method,
        )
    # A POST without a body is what any page can have a browser send; the other methods are not.
    if has_body or method == "POST":
        _check_type(scope)
    if lengths and media_type(scope) not in _STREAMED_TYPES:
        _check_size(int(lengths[0]))


def bounded(scope: Scope, receive: Receive, arriving: Arriving) -> Receive:
    """Return `receive`, which raises once the body is larger than a message may be, or than there is room for.

    Parameters
    ----------
    scope, receive
        Those of the request.
    arriving
        Is told how much of the body is here.
    """
    if media_type(scope) in _STREAMED_TYPES:
        return receive
    nbytes = 0

    async def receive_bounded() -> Message:
        nonlocal nbytes
        message = await receive()
        nbytes += len(message.get("body", b""))
        _check_size(nbytes)
        arriving.hold(nbytes)
        return message

    return receive_bounded


async def body_parts(receive: Receive) -> AsyncIterator[bytes]:
    """Yield the body in the parts it arrives in.

    Raises
    ------
    ClientDisconnect
        If the client goes away before its end.
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if message.get("body"):
            yield message["body"]


async def whole_body(receive: Receive) -> bytes:
    """Return the body.

    Raises
    ------
    ClientDisconnect
        If the client goes away before its end.
    """
    return b"".join([part async for part in body_parts(receive)])


def _check_encoding(contents: list[str], transfers: list[str]) -> None:
    encodings = [value for value in contents if value.strip().lower() not in ("", "identity")]
    encodings += [value for value in transfers if value.strip().lower() != "chunked"]
    if encodings:
        raise InvalidInput(
            "the body is compressed; send it as it is",
            code="body_encoding",
            field="Content-Encoding",
            limit="identity",
            value=", ".join(encodings)[:200],
        )


def _check_type(scope: Scope) -> None:
    given = ", ".join(header_values(scope, b"content-type"))
    parameters = given.lower().replace(" ", "").replace('"', "").split(";")[1:]
    is_utf8 = all(not item.startswith("charset=") or item == "charset=utf-8" for item in parameters)
    if media_type(scope) in BODY_TYPES and is_utf8:
        return
    raise InvalidInput(
        f"a body of the type {given or 'that nothing names'} is not taken; Content-Type is to be one of "
        f"{', '.join(BODY_TYPES)}, in UTF-8",
        code="media_type",
        field="Content-Type",
        limit=", ".join(BODY_TYPES),
        value=given[:200],
    )


def _check_size(nbytes: int) -> None:
    if nbytes > MESSAGE_BYTES_MAX:
        raise InvalidInput(
            f"a body of {nbytes} bytes or more is larger than {MESSAGE_BYTES_MAX}; send it in parts",
            code="message_bytes",
            field="body",
            limit=MESSAGE_BYTES_MAX,
            value=nbytes,
        )

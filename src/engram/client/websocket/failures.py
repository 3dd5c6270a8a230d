"""Typed errors for WebSockets that cannot be opened, and for those that end: what the server says, or what happened."""

from __future__ import annotations

import errno
import json
import socket
from typing import Any, Final

from websockets.exceptions import InvalidMessage
from websockets.frames import CloseCode
from websockets.http11 import Response

from engram.client.retry import NO_SERVER, NOT_ENGRAM
from engram.client.websocket.address import SocketAddress
from engram.errors import EngramError, InvalidInput, OverCapacity, PermissionDenied, Unavailable
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.wire.forms.failures import error_from

LOST: Final = "the connection was ended there; the server may be stopping"
SILENT: Final = "nothing came back in time (timed out)"
NO_CODE: Final = 1005
_DONE: Final = 1000


def no_server(address: SocketAddress, reason: str) -> Unavailable:
    """Return the error that no Engram server answers at `address`, for a reason."""
    return Unavailable(
        f"no Engram server answers at {address.text}: {reason}; is one running there? (engram serve starts one)",
        code=NO_SERVER,
        field="address",
        value=address.text,
    )


def not_engram(address: SocketAddress, what: str) -> Unavailable:
    """Return the error that something else than an Engram server answers at `address`."""
    return Unavailable(
        f"what answers at {address.text} is no Engram server: {what}; is this the right port?",
        code=NOT_ENGRAM,
        field="address",
        value=address.text,
    )


def unreachable(address: SocketAddress, failure: OSError) -> Unavailable:
    """Return the error for a connection that could not be made."""
    # Only what speaks TLS loads `ssl`, which takes a while.
    kind = type(failure).__name__
    if isinstance(failure, socket.gaierror):
        reason = "the name of the host is not known (name not found)"
    elif kind == "SSLCertVerificationError":
        reason = f"its certificate is not accepted ({failure})"
    elif kind.startswith("SSL"):
        reason = "what answers there does not speak TLS; for ws:// and http:// there is none"
    elif _is(failure, errno.ECONNREFUSED):
        reason = "nothing listens there (connection refused)"
    elif _is(failure, errno.ENETUNREACH) or _is(failure, errno.EHOSTUNREACH):
        reason = "no network leads there"
    elif isinstance(failure, PermissionError):
        reason = "this process may not connect there"
    elif isinstance(failure, ConnectionError):
        reason = f"{LOST}, or not speak TLS" if address.uri.secure else LOST
    else:
        reason = str(failure)[:200] or kind
    return no_server(address, reason)


def _is(failure: OSError, number: int) -> bool:
    # For a host with several addresses, asyncio joins the failures to one text.
    return failure.errno == number or f"[Errno {number}]" in str(failure)


def not_opened(address: SocketAddress, failure: Exception, response: Response | None) -> EngramError:
    """Return the error for a WebSocket whose opening was answered with something else than a WebSocket."""
    if response is not None:
        said = _problem(bytes(response.body or b""))
        if said is not None:
            return said
        return not_engram(address, f"it answered with the status {response.status_code} of HTTP")
    if isinstance(failure, InvalidMessage) and isinstance(failure.__cause__, EOFError):
        return no_server(address, LOST if address.uri.secure else f"{LOST}, or want TLS, as wss:// speaks it")
    return not_engram(address, "it speaks gRPC or another protocol, not HTTP/1")


def closed(address: SocketAddress, code: int, reason: str) -> EngramError:
    """Return why a WebSocket was closed, by the code and the reason of its close."""
    match code:
        case CloseCode.GOING_AWAY:
            return Unavailable(
                f"the server at {address.text} stops",
                code="shutting_down",
                retry_after_ms=_retry_after_ms(_object(reason.encode())),
            )
        case CloseCode.POLICY_VIOLATION:
            error: EngramError = PermissionDenied(f"the server at {address.text} closed the connection: {reason}")
        case CloseCode.MESSAGE_TOO_BIG:
            error = InvalidInput(
                f"a message is larger than the server at {address.text} takes: {reason or 'send or ask for less'}",
                code="message_bytes",
                field="message",
                limit=MESSAGE_BYTES_MAX,
            )
        case CloseCode.TRY_AGAIN_LATER:
            said = _object(reason.encode())
            error = OverCapacity(
                f"the server at {address.text} has no room for more at this moment{'' if said else f': {reason}'}",
                code=str(said.get("code", "")) or None,
                retry_after_ms=_retry_after_ms(said),
            )
        case 4400:
            error = EngramError(f"the server ended the stream: {reason}", code=reason or "stream_ended")
        case 4429:
            error = OverCapacity(f"the server at {address.text} closed the connection: {reason}", code="stream_ended")
        case _:
            told = f" with the code {code}: {reason}" if code not in (_DONE, NO_CODE) else ""
            error = Unavailable(f"the server ended the stream{told}", code="stream_ended")
    return error


def _retry_after_ms(said: dict[str, Any]) -> int | None:
    told = said.get("retry_after_ms")
    return told if type(told) is int and told > 0 else None


def _problem(body: bytes) -> EngramError | None:
    """Return the error in a body of ``application/problem+json``; None if Engram did not write it."""
    said = _object(body)
    return error_from({**said, "message": said.get("detail", "")}) if {"code", "kind"} <= said.keys() else None


def _object(text: bytes) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}

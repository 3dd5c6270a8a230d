"""Typed errors for failed gRPC calls: the error of the server, or the reason why no server answers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

import grpc

from engram.client.grpc.address import Address
from engram.client.retry import NO_SERVER, NOT_ENGRAM
from engram.errors import EngramError, OverCapacity, Unavailable
from engram.wire.grpc_status import decode_status

# Patterns in the messages of gRPC, and our description of the reason. The first pattern that matches counts.
_REASONS: Final = tuple(
    (re.compile(words, re.IGNORECASE), reason)
    for words, reason in (
        ("proxy returned", "a proxy did not let the connection through"),
        ("connection refused", "nothing listens there (connection refused)"),
        ("resolv|lookup|domain name|name or service", "the name of the host is not known (name not found)"),
        ("before receiving settings", "something takes connections there and then is silent (timed out)"),
        ("timed? ?out|deadline", "nothing came back in time (timed out)"),
        ("no such file", "there is no such socket"),
        ("unreachable|no route", "no network leads there"),
        ("permission denied|not permitted", "this process may not connect there"),
        (
            "reset by peer|socket closed|broken pipe|recvmsg|end of|eof",
            "the connection was ended there; the server may be stopping, have as many connections as it takes, or want "
            "TLS, which this client does not speak",
        ),
    )
)
# REFUSED_STREAM of HTTP/2: the server has done nothing of the call.
_REFUSED: Final = re.compile(r"RST_STREAM with error code 7\b")
_RETRY_AFTER_MS: Final = 100
_OTHER_PROTOCOL: Final = re.compile(r"parsing HTTP/2|http1|HTTP/1|HTTP status", re.IGNORECASE)
# In the order in which gRPC reads the variables.
_PROXY_VARIABLES: Final = ("grpc_proxy", "https_proxy", "http_proxy")


def call_error(
    address: Address,
    code: grpc.StatusCode,
    details: str | None,
    trailers: Iterable[tuple[str, str | bytes]] | None,
) -> EngramError:
    """Return the typed error for a call to `address` that ended with `code`."""
    error = decode_status(code, details, trailers)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return EngramError(
            f"the server at {address.target} does not know this call: it is none of Engram's, or of another version",
            code=error.code,
            field="address",
            value=address.target,
        )
    if code is grpc.StatusCode.CANCELLED and error.code == "cancelled":
        # This client did not: then no status comes back. It is what gRPC and proxies make of a call that they drop.
        return Unavailable(
            f"the call to {address.target} was dropped there, or on the way, before it was answered",
            code="cancelled",
            field="address",
            value=address.target,
        )
    if error.code == Unavailable.default_code and _REFUSED.search(details or ""):
        # gRPC holds back what a connection may not have, but a server also counts calls that have just ended.
        return OverCapacity(
            f"the server at {address.target} has as many calls of this client as it takes from one connection; "
            "try again when some have ended",
            code="calls_of_connection",
            field="client",
            retry_after_ms=_RETRY_AFTER_MS,
        )
    if error.code == Unavailable.default_code and code is grpc.StatusCode.UNAVAILABLE:
        return no_server(address, details or "")
    return no_server(address, "deadline") if code is grpc.StatusCode.DEADLINE_EXCEEDED else error


def no_server(address: Address, details: str) -> Unavailable:
    """Return the error that no Engram server answers at `address`, with the reason by gRPC's message `details`."""
    if _OTHER_PROTOCOL.search(details):
        return Unavailable(
            f"what answers at {address.target} is no Engram server: it speaks HTTP/1 or another protocol, not gRPC; "
            "is this the right port?",
            code=NOT_ENGRAM,
            field="address",
            value=address.target,
        )
    reason = next((reason for words, reason in _REASONS if words.search(details)), details[:200] or "no reason given")
    return Unavailable(
        f"no Engram server answers at {address.target}: {reason}{_by_proxy(address)}; "
        "is one running there? (engram serve starts one)",
        code=NO_SERVER,
        field="address",
        value=address.target,
    )


def _by_proxy(address: Address) -> str:
    name = next((name for name in _PROXY_VARIABLES if os.environ.get(name)), "")
    return f"; tried by the proxy that ${name} names" if name and not address.is_local else ""

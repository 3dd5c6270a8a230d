"""Parsing of the address of a server's WebSocket; its form is checked before anything is sent there."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import SplitResult, urlsplit

from websockets.uri import WebSocketURI

from engram.errors import InvalidInput

EXAMPLE: Final = "ws://localhost:7432"
_PATH: Final = "/v1/stream"
# By the scheme, whether the connection is encrypted. What is said over HTTP is said over WebSocket here.
_SCHEMES: Final = {"ws": False, "http": False, "wss": True, "https": True}
_PORT_MAX: Final = 65535
_HOST_CHARACTERS_MAX: Final = 253
_SHOWN_CHARACTERS_MAX: Final = 100
_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_PATH_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """The address of a server's WebSocket.

    Parameters
    ----------
    text
        The address as it was passed.
    uri
        What it means.
    """

    text: str
    uri: WebSocketURI


def parse_socket_address(address: str) -> SocketAddress:
    """Return the address that a caller passes, such as ``ws://host:port`` or ``https://host/base``.

    Raises
    ------
    InvalidInput
        With code ``invalid_address``, naming the value and what to pass instead.
    """
    if address != "".join(address.split()) or not address.isprintable():
        _refuse(address, "has blanks or invisible characters in it")
    try:
        parts = urlsplit(address)
    except ValueError as error:
        _refuse(address, f"cannot be read: {error}")
    scheme = parts.scheme.lower()
    if scheme not in _SCHEMES:
        _refuse(address, f"has the scheme {scheme[:20]!r}, which is none of {', '.join(_SCHEMES)}")
    if "@" in parts.netloc:
        # The message does not show it: it may be most of a secret.
        _refuse(f"{scheme}://...", "has a credential in it, which belongs into the metadata, as {'authorization': ...}")
    if parts.query or parts.fragment or address.endswith(("?", "#")):
        _refuse(address, "has a part behind '?' or '#'")
    host, port = _place(address, parts)
    path = parts.path.rstrip("/")
    if not _PATH_CHARACTERS.fullmatch(path):
        _refuse(address, "has a path with characters that no path of a URL has")
    secure = _SCHEMES[scheme]
    path = path if path.endswith(_PATH) else path + _PATH
    return SocketAddress(address, WebSocketURI(secure, host, port or (443 if secure else 80), path, ""))


def _place(address: str, parts: SplitResult) -> tuple[str, int | None]:
    host = parts.hostname or ""
    if not host:
        _refuse(address, "has no host")
    if len(host) > _HOST_CHARACTERS_MAX:
        _refuse(address, f"has a host of more than {_HOST_CHARACTERS_MAX} characters")
    if "[" in parts.netloc:
        if not _is_ip(host, 6):
            _refuse(address, f"has {host!r} in brackets, which is no IPv6 address")
    elif not _NAME.fullmatch(host):
        _refuse(address, f"has the host {host!r}, but a host has letters, digits, dots and hyphens only")
    elif host.replace(".", "").isdecimal() and not _is_ip(host, 4):
        _refuse(address, f"has the host {host!r}, which is no IPv4 address")
    try:
        port = parts.port
    except ValueError:
        _refuse(address, f"has a port that is not a number from 1 to {_PORT_MAX}")
    if port == 0 or parts.netloc.endswith(":"):
        _refuse(address, f"has a port that is not a number from 1 to {_PORT_MAX}")
    return host, port


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _refuse(address: str, problem: str) -> NoReturn:
    shown = repr(address)
    if len(shown) > _SHOWN_CHARACTERS_MAX:
        shown = shown[: _SHOWN_CHARACTERS_MAX - 3] + "..."
    raise InvalidInput(
        f"address {shown} {problem}; pass ws://host:port, such as {EXAMPLE!r}",
        code="invalid_address",
        field="address",
        limit="ws://host:port",
        value=shown,
    )

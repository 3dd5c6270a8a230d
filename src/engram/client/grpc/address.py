"""Parsing of the address of a server; its form is checked before anything is sent there."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, NoReturn

from engram.errors import InvalidInput

EXAMPLE: Final = "localhost:50051"
_PORT_MAX: Final = 65535
_HOST_CHARACTERS_MAX: Final = 253
_SHOWN_CHARACTERS_MAX: Final = 100

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SOCKETS: Final = ("unix:", "unix-abstract:")
# Prefixes that name a resolver of gRPC. A host and a port follow them.
_RESOLVER: Final = re.compile(r"(?:dns:(?:///)?|ipv4:|ipv6:)(?=.*:|\[)")
_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_LOCAL_NAMES: Final = frozenset({"localhost", "localhost.", "ip6-localhost", "ip6-loopback"})


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server.

    Parameters
    ----------
    target
        The address in the form that gRPC accepts.
    is_local
        Whether the server is on this machine, so that no proxy may be used.
    """

    target: str
    is_local: bool


def parse_address(address: object) -> Address:
    """Return the address that a caller passes as ``host:port``, ``[ipv6]:port`` or ``unix:path``.

    Raises
    ------
    InvalidInput
        With code ``invalid_address``, naming the value and what to pass instead.
    """
    if isinstance(address, bytes | bytearray):
        _refuse(address, "is bytes, not a text", f"{bytes(address).decode(errors='replace')!r}")
    if isinstance(address, int) and not isinstance(address, bool):
        _refuse(address, "is a number, not a text", f"'localhost:{address}'" if 0 < address <= _PORT_MAX else "")
    if not isinstance(address, str):
        _refuse(address, f"is of type {type(address).__name__}, not a text")
    if not address.strip():
        _refuse(address, "is empty")
    if address != "".join(address.split()) or not address.isprintable():
        _refuse(address, "has blanks or invisible characters in it", repr("".join(address.split())))
    if address.startswith(_SOCKETS):
        return _socket(address)
    if scheme := _SCHEME.match(address):
        if scheme[0] != "dns://":
            rest = address[scheme.end() :].partition("/")[0]
            _refuse(
                address,
                f"begins with {scheme[0]}, and not with grpc://, http://, https://, ws:// or wss://",
                repr(rest or EXAMPLE),
            )
    elif address[0] in "/.~\\":
        _refuse(address, "is a path; MemoryStore(path), or --data, opens a directory without a server")
    resolver = _RESOLVER.match(address)
    return Address(address, _is_local(_host(address, address[resolver.end() :] if resolver else address)))


def _socket(address: str) -> Address:
    if not address.partition(":")[2].strip("/"):
        _refuse(address, "names no socket", "'unix:/path/of/the/socket'")
    return Address(address, is_local=True)


def _host(address: str, place: str) -> str:
    """Check host and port of ``host:port``; return the host."""
    if place.startswith("["):
        host, bracket, port = place[1:].partition("]")
        if not bracket or not _is_ip(host, 6):
            _refuse(address, f"has {host!r} in brackets, which is no IPv6 address", "'[::1]:50051'")
        if not port.startswith(":"):
            _refuse(address, "has no port", f"'[{host}]:50051'")
        port = port[1:]
    elif _is_ip(place, 6):
        _refuse(address, "is an IPv6 address without brackets and port", f"'[{place}]:50051'")
    elif _is_ip(place.rpartition(":")[0], 6):
        host, _, port = place.rpartition(":")
        _refuse(address, "has an IPv6 address without brackets", f"'[{host}]:{port}'")
    else:
        host, colon, port = place.partition(":")
        if not colon:
            _refuse(address, "has no port", f"'{place}:50051'" if not place.isdecimal() else f"'localhost:{place}'")
        _check_name(address, host, port)
    _check_port(address, port)
    return host


def _check_name(address: str, host: str, port: str) -> None:
    if not host:
        _refuse(address, "has no host", f"'localhost:{port}'" if port.isdecimal() else "")
    if len(host) > _HOST_CHARACTERS_MAX:
        _refuse(address, f"has a host of more than {_HOST_CHARACTERS_MAX} characters")
    if not _NAME.fullmatch(host):
        _refuse(address, f"has the host {host!r}, but a host has letters, digits, dots and hyphens only")
    if host.replace(".", "").isdecimal() and not _is_ip(host, 4):
        _refuse(address, f"has the host {host!r}, which is no IPv4 address")


def _check_port(address: str, port: str) -> None:
    if not port:
        _refuse(address, "has no port after the colon")
    if not (port.isascii() and port.isdecimal()):
        _refuse(address, f"has the port {port!r}, which is not a number from 1 to {_PORT_MAX}")
    if not 1 <= int(port[:6]) <= _PORT_MAX or len(port) > 5:
        _refuse(address, f"has the port {port[:20]}, which is outside 1..{_PORT_MAX}")


def _is_local(host: str) -> bool:
    if host.lower() in _LOCAL_NAMES or host.lower().rstrip(".").endswith(".localhost"):
        return True
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    # A connection to the unspecified address, 0.0.0.0 or ::, reaches this machine.
    return bool(mapped.is_loopback or mapped.is_unspecified)


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _refuse(address: object, problem: str, instead: str = "") -> NoReturn:
    shown = repr(address)
    if len(shown) > _SHOWN_CHARACTERS_MAX:
        shown = shown[: _SHOWN_CHARACTERS_MAX - 3] + "..."
    raise InvalidInput(
        f"address {shown} {problem}; pass {instead or f'host:port, such as {EXAMPLE!r}'}",
        code="invalid_address",
        field="address",
        limit="host:port",
        value=shown,
    )

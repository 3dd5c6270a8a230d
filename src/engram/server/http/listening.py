"""Sockets that listen on an address, or a typed error that says why there are none."""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import Final

from engram.errors import Unavailable

BACKLOG: Final = 2048
"""Connections that the system keeps until they are taken."""

# A name such as localhost may stand for addresses of a kind that this machine does not have.
_NOT_HERE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})


def listen(host: str, port: int) -> list[socket.socket]:
    """Return a listening socket for each address of `host`, all of them on one port.

    Parameters
    ----------
    host
        A name or an address; one of IPv6 may stand in brackets.
    port
        The port; 0 takes a free one.

    Raises
    ------
    Unavailable
        With code ``address_in_use``, if the port is taken or the address is not one of this machine.
    """
    sockets: list[socket.socket] = []
    try:
        addresses = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
        absent: OSError | None = None
        for family, _, _, _, address in dict.fromkeys(addresses):
            try:
                sockets.append(_listening(family, (address[0], port, *address[2:]), host))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                absent = error
                continue
            # The other addresses of the host listen on the port that the first one got.
            port = sockets[0].getsockname()[1]
        if not sockets:
            raise absent or OSError(errno.EADDRNOTAVAIL, "the host has no address")
    except (OSError, UnicodeError) as error:
        for each in sockets:
            each.close()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Unavailable(
            f"cannot listen on {host}:{port} for HTTP: {reason}; is another server running?",
            code="address_in_use",
            field="http_port",
            value=port,
        ) from error
    return sockets


def _listening(family: int, address: tuple[object, ...], host: str) -> socket.socket:
    with contextlib.ExitStack() as undo:
        # asyncio sends what is short at once only on sockets that name their protocol; others wait 40 ms for more.
        created = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        undo.callback(created.close)
        # A restarted server gets its port back although connections of the one before it are still remembered.
        created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            created.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host.strip("[]") != "::")
        created.setblocking(False)
        created.bind(address)
        created.listen(BACKLOG)
        undo.pop_all()
    return created

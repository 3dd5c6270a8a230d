"""How many connections a server takes: fewer than the descriptors of its process, so that its files have some left."""

from __future__ import annotations

import errno
import os
import resource
import socket
from typing import TYPE_CHECKING, Final, NamedTuple

from engram.store.resting.open_limit import files_kept

if TYPE_CHECKING:
    from engram.server.options import ServerOptions

CONNECTIONS_DEFAULT: Final = 8192

# Where nothing limits the descriptors.
_UNLIMITED: Final = 1 << 20
_REFUSED_MAX: Final = 64
_OPEN: Final = "/proc/self/fd"


class TransportConnections(NamedTuple):
    """The connections that each transport takes.

    Parameters
    ----------
    grpc, http
        Maximum number of connections for gRPC, and for HTTP and WebSockets.
    """

    grpc: int
    http: int

    @property
    def all(self) -> int:
        """Maximum number of connections of all transports."""
        return self.grpc + self.http


def descriptors_max() -> int:
    """Return how many descriptors this process may have, ``ulimit -n``."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED if limit in (resource.RLIM_INFINITY, -1) else min(limit, _UNLIMITED)


def descriptors_open() -> int | None:
    """Return how many descriptors this process has; None where the system does not tell."""
    try:
        return len(os.listdir(_OPEN))
    except OSError as error:
        # Not even the list can be opened: every descriptor is taken.
        return descriptors_max() if error.errno == errno.EMFILE else None


def divided(options: ServerOptions, descriptors: int) -> TransportConnections:
    """Return the connections that each transport takes in a process that may have so many `descriptors`.

    gRPC counts its connections itself and asks nobody, so each transport has a part of its own. HTTP has what
    ``http_connections_max`` says, but no more than half.
    """
    every = max(2, min(options.connections_max or CONNECTIONS_DEFAULT, descriptors - files_kept(descriptors)))
    http = min(options.http_connections_max, every // 2) if options.http else 0
    return TransportConnections(every - http, http)


def refused_max(descriptors: int) -> int:
    """Return how many connections too many may be open until they are told so; they take of what is left to files."""
    return min(_REFUSED_MAX, files_kept(descriptors) // 4)


def addresses_count(host: str) -> int:
    """Return at how many addresses a server listens that is told to listen at `host`, at least 1."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        # Whoever listens there says what is wrong with it.
        return 1
    return len({address for *_, address in found}) or 1

"""Connections that do nothing: as many as a server takes keep nobody from writing, and the surplus is refused."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.server import server_with_http
from campaigns.crowds.process import descriptors, descriptors_limited
from engram import Client
from engram.model.spaces import DEFAULT_SPACE
from engram.server.clients.open_connections import descriptors_max, divided
from engram.server.options import ServerOptions

DIM: Final = 16
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How a client of gRPC begins, with empty settings."""
_TIMEOUT_S: Final = 120.0
_WRITES: Final = 200
# Each space has a directory and files of its own, which are opened while the connections are there.
_SPACES: Final = 10
# Descriptors of this process for anything but the idle connections.
_OWN: Final = 200
# So many more may be refused where there is a surplus, since connections come while others go.
_SLACK: Final = 8


def run(seed: int, count: int, files: int, work: Path) -> dict[str, Any]:
    """Open `count` idle connections to a server that may have `files` descriptors, and write meanwhile."""
    vectors = np.random.default_rng(seed).standard_normal((_WRITES, DIM), dtype=np.float32)
    with ExitStack() as stack:
        with descriptors_limited(files):
            process, address, _ = stack.enter_context(server_with_http(work / "data", "--dim", str(DIM)))
            limit = divided(ServerOptions(None), files).grpc
        stack.enter_context(descriptors_limited(max(count + _OWN, descriptors_max())))
        clients = _connect(stack, address)
        begin_s = time.perf_counter()
        with ExitStack() as crowd:
            idle = idle_connections(crowd, int(address.rpartition(":")[2]), PREFACE, count)
            opening_s = time.perf_counter() - begin_s
            times_s = _write(clients, vectors)
            ended = sum(map(is_ended, idle))
            most = descriptors(process.pid)
        with Client(address, timeout_s=_TIMEOUT_S) as newcomer:
            found = sum(space.live_count for space in newcomer.spaces())
    p50_ms, p99_ms = (round(float(one) * 1e3, 1) for one in np.percentile(times_s, [50, 99]))
    return {
        "count": count,
        "others": len(clients),
        "files": files,
        "limit": limit,
        "opening_seconds": round(opening_s, 2),
        "ended": ended,
        "descriptors": most,
        "writes": len(times_s),
        "p50_ms": p50_ms,
        "p99_ms": p99_ms,
        "found": found,
    }


def broken(result: dict[str, Any]) -> list[str]:
    """Return what must not be, in words; nothing if all is well."""
    faults = []
    count, limit, ended = result["count"], result["limit"], result["ended"]
    surplus = count + result["others"] - limit
    if ended < count - limit:
        faults.append(f"{ended} connections were ended, of {count - limit} that are too many")
    if ended > (surplus + _SLACK if surplus > 0 else 0):
        faults.append(f"{ended} connections were ended, where {max(surplus, 0)} are too many")
    if result["descriptors"] >= result["files"]:
        faults.append(f"{result['descriptors']} descriptors of {result['files']}")
    if result["found"] != result["writes"]:
        faults.append(f"{result['found']} of {result['writes']} observations are found")
    return faults


def idle_connections(stack: ExitStack, port: int, begin: bytes, count: int) -> list[socket.socket]:
    """Open connections that send how a client begins, and nothing more; `stack` closes them."""
    opened = []
    for _ in range(count):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), _TIMEOUT_S))
        # One that is refused may be reset at once.
        with contextlib.suppress(ConnectionError):
            connection.sendall(begin)
        opened.append(connection)
    return opened


def is_ended(connection: socket.socket) -> bool:
    """Return whether the other end has closed a connection; what came before is passed over."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def _connect(stack: ExitStack, address: str) -> list[Client]:
    """Return clients of spaces that are there, and connected; the first observation makes the files of each."""
    clients = [stack.enter_context(Client(address, space=DEFAULT_SPACE, timeout_s=_TIMEOUT_S))]
    for number in range(_SPACES):
        name = f"space-{number}"
        clients[0].create_space(name, dim=DIM)
        clients.append(stack.enter_context(Client(address, space=name, timeout_s=_TIMEOUT_S)))
        clients[-1].space_status()
    return clients


def _write(clients: Sequence[Client], vectors: NDArray[np.float32]) -> list[float]:
    """Observe one after the other, in each space in turn; return the seconds that each took."""
    times_s = []
    for number, vector in enumerate(vectors):
        begin_s = time.perf_counter()
        clients[number % len(clients)].observe(f"during {number}", vector)
        times_s.append(time.perf_counter() - begin_s)
    return times_s

"""A server with one fault in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.server_process import DIM
from tests.integration.socket_client import SocketServer

TAIL_COUNT_MAX = 300


@contextmanager
def faulty_server(fault: str, data: Path, *options: str) -> Iterator[SocketServer]:
    """Run a server with a fault of `tests.integration.faulty_server` until the end of the context."""

    program = ("tests.integration.faulty_server", fault, "serve")
    limits = ("--tail-count-max", str(TAIL_COUNT_MAX), "--dim", str(DIM), "--workers", "1")
    server = SocketServer(data, *limits, *options, program=program)
    try:
        yield server
    finally:
        # A worker that waits would keep it from ending in order.
        server.process.kill()
        server.wait()

"""A server with one fault in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.server_process import DIM
from tests.integration.test_http_port import HttpServerProcess

TAIL_COUNT_MAX = 300


@contextmanager
def faulty_server(fault: str, data: Path, *options: str) -> Iterator[HttpServerProcess]:
    """Run a server with a fault of `tests.integration.faulty_server` until the end of the context."""

    class FaultyServer(HttpServerProcess):
        module = ("tests.integration.faulty_server", fault, "serve")

    limits = ("--tail-count-max", str(TAIL_COUNT_MAX), "--dim", str(DIM), "--workers", "1")
    server = FaultyServer(data, *limits, *options)
    try:
        yield server
    finally:
        # A worker that waits would keep it from ending in order.
        server.process.kill()
        server.wait()

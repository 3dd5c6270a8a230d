"""A server in a process of its own, for what is measured from outside."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Final

import psutil

from engram.server.options import ServerOptions

# The space that benchmarks use in it.
SPACE: Final = "bench"
CATCH_UP_TIMEOUT_S: Final = 600.0
_START_TIMEOUT_S: Final = 120.0
# A version that knows no HTTP may be measured, too.
_ONLY_GRPC: Final = ["--no-http"] if any(each.name == "http" for each in fields(ServerOptions)) else []


@contextmanager
def server(data: Path, *arguments: str) -> Iterator[tuple[psutil.Process, str]]:
    """A server process with gRPC on a free port, with further `arguments`, stopped at the end."""
    with _serving(data, *_ONLY_GRPC, *arguments) as (process, ports):
        yield process, f"127.0.0.1:{ports[0]}"


@contextmanager
def server_with_http(data: Path, *arguments: str) -> Iterator[tuple[psutil.Process, str, str]]:
    """As `server`, with HTTP on another free port: the process, the address of gRPC and that of HTTP."""
    with _serving(data, "--http-port", "0", *arguments) as (process, ports):
        yield process, f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}"


@contextmanager
def _serving(data: Path, *arguments: str) -> Iterator[tuple[psutil.Process, list[str]]]:
    port_file = data.with_suffix(".port")
    command = [sys.executable, "-m", "engram", "serve", "--data", str(data), "--port", "0"]
    command += ["--port-file", str(port_file), *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not (port_file.exists() and port_file.read_text().strip()):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise SystemExit(f"the server did not start: {' '.join(command)}")
            # A file that another process writes is looked for; the deadline above bounds it.
            time.sleep(0.02)
        try:
            yield psutil.Process(process.pid), port_file.read_text().split()
        finally:
            process.terminate()
            process.wait(120)

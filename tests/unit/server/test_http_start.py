"""Whether there is an HTTP server, and what keeps a server from starting."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from engram.errors import Unavailable
from engram.server import http_start
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http_start import start_http
from engram.server.options import ServerOptions


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The default port, which somebody has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr(http_start, "HTTP_PORT", port)
        yield port


async def started(**settings: Any) -> int | None:
    engine = Engine.open(ServerOptions(None, **settings))
    try:
        server = await start_http(engine, ServerCalls(engine))
        if server is None:
            return None
        await asyncio.wait_for(server.stop(0.0), 60)
        return server.port
    finally:
        await engine.close()


async def test_a_taken_default_port_is_a_warning(taken: int, caplog: pytest.LogCaptureFixture) -> None:
    assert await started(http_port=taken) is None
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"127.0.0.1:{taken}" in record.getMessage()


async def test_a_taken_port_that_was_asked_for_is_an_error(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable) as caught:
        await started(http_port=taken, http_required=True)
    assert caught.value.code == "address_in_use"
    monkeypatch.setattr(http_start, "HTTP_PORT", taken + 1)
    with pytest.raises(Unavailable):
        await started(http_port=taken)


async def test_who_wants_no_http_gets_none(taken: int) -> None:
    assert await started(http=False, http_port=taken, http_required=True) is None


async def test_a_free_port_is_told() -> None:
    port = await started(http_port=0)
    assert port
    assert port != 7432


PROGRAM = """
import sys
sys.modules[sys.argv[1]] = None
import asyncio, logging
from engram.server import ServerOptions, run_server
logging.basicConfig(level="WARNING", format="%(levelname)s %(message)s")

async def main():
    stop = asyncio.Event()
    options = ServerOptions(None, port=0, ready=lambda address: stop.set(), http_required=len(sys.argv) > 2)
    await run_server(options, stop)

asyncio.run(main())
"""


@pytest.mark.parametrize("package", ["uvicorn", "starlette", "websockets", "httptools"])
def test_without_the_packages_there_is_grpc_and_one_line_that_says_so(package: str) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROGRAM, package, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    done = run()
    assert (done.returncode, done.stdout) == (0, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("WARNING HTTP is not served: HTTP needs the package ")
    assert "pip install 'engram-stream[server]'" in line
    asked_for = run("required")
    assert asked_for.returncode == 1
    assert "MissingExtra" in asked_for.stderr

"""Servers shared by the tests of a module, and a fresh space on them for each test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from engram.wire import engram_pb2 as pb
from tests.integration.homes import HOMES
from tests.integration.server_process import DIM, TIMEOUT_S, ServerProcess, connect
from tests.integration.socket_client import SocketServer

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("server") / "data")
    yield running
    assert running.stop() == 0, running.log()
    assert "Traceback" not in running.log(), running.log()


@pytest.fixture(scope="module")
def home_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    """The server of the homes that are on one."""
    running = SocketServer(tmp_path_factory.mktemp("server") / "data")
    yield running
    assert running.stop() == 0, running.log()
    assert "Traceback" not in running.log(), running.log()


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, home_server: SocketServer) -> Iterator[Any]:
    """A space, once for each place it may be at."""
    with HOMES[request.param].space(home_server) as home:
        yield home


@pytest.fixture(params=HOMES)
def reading_home(request: pytest.FixtureRequest, home_server: SocketServer) -> Iterator[Any]:
    """A space with an embedder, once for each place it may be at."""
    with HOMES[request.param].space(home_server, embedder="lexical") as home:
        yield home


@pytest.fixture
async def stub(server: ServerProcess) -> AsyncIterator[Any]:
    async with connect(server.address) as stub:
        yield stub


@pytest.fixture
async def space(stub: Any) -> str:
    name = f"space-{next(_numbers)}"
    await stub.CreateSpace(pb.CreateSpaceRequest(memory_space_id=name, dimension=DIM), timeout=TIMEOUT_S)
    return name

"""Servers shared by the tests of a module, and a fresh space on them for each test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from engram.wire import engram_pb2 as pb
from tests.integration.homes import HOMES
from tests.integration.server_process import DIM, TIMEOUT_S, ServerProcess, connect
from tests.integration.socket_client import SocketClient, SocketServer, open_socket

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    """A server that is reached over every transport."""
    running = SocketServer(tmp_path_factory.mktemp("server") / "data")
    yield running
    running.stop_soundly()


@pytest.fixture
async def client(server: SocketServer) -> AsyncIterator[SocketClient]:
    """A WebSocket to the server."""
    async with open_socket(server.url) as client:
        yield client


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, server: SocketServer) -> Iterator[Any]:
    """A space, once for each place it may be at."""
    with HOMES[request.param].space(server) as home:
        yield home


@pytest.fixture(params=HOMES)
def reading_home(request: pytest.FixtureRequest, server: SocketServer) -> Iterator[Any]:
    """A space with an embedder, once for each place it may be at."""
    with HOMES[request.param].space(server, embedder="lexical") as home:
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

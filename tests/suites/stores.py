"""Stores for the tests of a suite: once in this process, once behind a real server. A suite's conftest imports them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest

import engram
from engram.connection import AnyStore, AsyncAnyStore
from tests.integration.server_process import ServerProcess

_numbers = count()


@pytest.fixture(scope="session", params=["embedded", "served"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """The address of a server for all tests; None for a store in this process."""
    if request.param == "embedded":
        yield None
        return
    server = ServerProcess(tmp_path_factory.mktemp("data"))
    try:
        yield f"grpc://{server.address}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def store(address: str | None) -> Iterator[AnyStore]:
    """A store of its own for all tests."""
    with engram.connect(address) as store:
        yield store


@pytest.fixture
async def async_store(address: str | None) -> AsyncIterator[AsyncAnyStore]:
    """A store for the coroutines of one test."""
    async with await engram.connect_async(address) as store:
        yield store


@pytest.fixture
def space_name() -> str:
    """The name of a space that is not there yet."""
    return f"suite-{next(_numbers)}"

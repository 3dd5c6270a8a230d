"""A store for each test of a suite: once in this process, once behind a real server. A suite's conftest imports them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

import engram
from engram.connection import AnyStore
from tests.integration.server_process import ServerProcess

_numbers = count()


@pytest.fixture(scope="session", params=["embedded", "served"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyStore]:
    """A store of its own for all tests."""
    if request.param == "embedded":
        with engram.connect() as store:
            yield store
        return
    server = ServerProcess(tmp_path_factory.mktemp("data"))
    try:
        with engram.connect(f"grpc://{server.address}") as store:
            yield store
    finally:
        server.stop()


@pytest.fixture
def space_name() -> str:
    """The name of a space that is not there yet."""
    return f"suite-{next(_numbers)}"

"""One engine behind every transport, so that tests compare what they make of the same store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from engram import Space, StoreOptions
from engram.connection.async_space import AsyncSpace
from engram.model.spaces import SpaceConfig
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.grpc_server import GrpcServer
from engram.server.http.http_server import HttpServer
from engram.server.options import ServerOptions
from engram.store.resting.space_access import SpaceAccess
from tests.doubles.http_transport import SCHEME
from tests.doubles.in_process import InProcessServer
from tests.integration.homes import CLIENTS, HOMES, Blocking
from tests.integration.server_process import DIM, TIMEOUT_S

SESSIONS = ("grpc", "in-process", "websocket")
"""The transports that have sessions."""
TRANSPORTS = (*SESSIONS, "http")


@asynccontextmanager
async def served(engine: Engine) -> AsyncIterator[dict[str, str]]:
    """The addresses of an engine by the transport that leads to it; it is closed at the end."""
    calls = ServerCalls(engine)
    grpc, in_process, http = GrpcServer(engine, calls), InProcessServer(engine, calls), HttpServer(engine, calls)
    port = await grpc.start("127.0.0.1", 0)
    await http.start("127.0.0.1", 0)
    try:
        yield {
            "grpc": f"127.0.0.1:{port}",
            "in-process": in_process.address,
            "websocket": f"ws://127.0.0.1:{http.port}",
            "http": f"{SCHEME}://127.0.0.1:{http.port}",
        }
    finally:
        await grpc.stop(TIMEOUT_S)
        await http.stop(TIMEOUT_S)
        await in_process.stop(TIMEOUT_S)
        await engine.close()


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[dict[str, str]]:
    """The addresses of a new engine in memory with the spaces ``default``, ``red`` and ``blue``."""
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM), **options))
    for name in ("red", "blue"):
        engine.store.space(name, dim=DIM)
    async with served(engine) as addresses:
        yield addresses


class OneStore:
    """A directory that is open in this process, and served from it by a thread of its own.

    Parameters
    ----------
    data
        The directory.
    options
        Settings of the store.
    """

    def __init__(self, data: Path, options: StoreOptions) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._ending = AsyncExitStack()
        addresses = self._run(self._open(ServerOptions(data, store=options)))
        self.address: str = addresses["grpc"]
        self.base_url: str = addresses["websocket"]

    def faces(self, space: str) -> dict[str, Callable[[], AbstractContextManager[Any]]]:
        """What opens a space: embedded, and with both clients over every transport."""
        return {
            "embedded": partial(self._embedded, space),
            "async embedded": partial(self._embedded_asynchronous, space),
            **{name: partial(HOMES[name].found, self, space) for name in CLIENTS},
        }

    def close(self) -> None:
        """End the server, and close the store."""
        self._run(self._ending.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()

    @contextmanager
    def _embedded(self, space: str) -> Iterator[Any]:
        yield Space(SpaceAccess.to(self._engine.store.space(space, create=False)))

    @contextmanager
    def _embedded_asynchronous(self, space: str) -> Iterator[Any]:
        with self._embedded(space) as found, asyncio.Runner() as runner:
            yield Blocking(runner.get_loop(), AsyncSpace(found))

    async def _open(self, options: ServerOptions) -> dict[str, str]:
        self._engine = Engine.open(options)
        return await self._ending.enter_async_context(served(self._engine))

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)

"""The homes of a space: embedded, and a server's with both clients over every transport."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from engram import AsyncClient, Client, MemoryStore, connect_async
from tests.integration.server_process import DIM, TIMEOUT_S
from tests.integration.socket_client import SocketServer


class Blocking:
    """An `AsyncClient` for tests that wait; whatever its methods return is waited for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inner: Any) -> None:
        self._loop = loop
        self._inner = inner

    def __repr__(self) -> str:
        return repr(self._inner)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def call(*arguments: Any, **keywords: Any) -> Any:
            return self._waited_for(value(*arguments, **keywords))

        return call

    def _waited_for(self, result: Any) -> Any:
        if inspect.isasyncgen(result):
            return self._batches(result)
        if not inspect.isawaitable(result):
            return result
        value = self._loop.run_until_complete(asyncio.wait_for(result, TIMEOUT_S))
        if asyncio.isfuture(value):
            return Result(lambda: self._loop.run_until_complete(asyncio.wait_for(value, TIMEOUT_S)))
        return Blocking(self._loop, value) if hasattr(value, "recall") else value

    def _batches(self, batches: Any) -> Iterator[Any]:
        while (batch := self._loop.run_until_complete(anext(batches, None))) is not None:
            yield batch


class Result:
    """A future that is waited for by calling `result`."""

    def __init__(self, wait: Callable[[], Any]) -> None:
        self._wait = wait

    def result(self, timeout: float | None = None) -> Any:
        """What the future has, as soon as it has it."""
        return self._wait()


@contextmanager
def embedded(address: str, space: str) -> Iterator[Any]:
    """A space of a store in this process."""
    with MemoryStore(None) as store:
        yield store.space(space, dim=DIM)


@contextmanager
def embedded_asynchronous(address: str, space: str) -> Iterator[Any]:
    """A space of a store in this process, for coroutines."""
    with asyncio.Runner() as runner:
        store = runner.run(connect_async(None))
        yield Blocking(runner.get_loop(), runner.run(store.space(space, dim=DIM)))
        runner.run(store.close())


@contextmanager
def blocking(address: str, space: str) -> Iterator[Any]:
    """A client of a server."""
    with Client(address, space=space) as client:
        client.create_space(space, dim=DIM)
        yield client


@contextmanager
def asynchronous(address: str, space: str) -> Iterator[Any]:
    """An asynchronous client of a server."""
    with asyncio.Runner() as runner:

        async def opened() -> AsyncClient:
            return AsyncClient(address, space=space)

        client = runner.run(opened())
        runner.run(client.create_space(space, dim=DIM))
        yield Blocking(runner.get_loop(), client)
        runner.run(client.close())


Home = Callable[[SocketServer, str], AbstractContextManager[Any]]


def over_grpc(home: Callable[[str, str], AbstractContextManager[Any]]) -> Home:
    """A home that is reached by gRPC."""
    return lambda server, space: home(server.address, space)


def over_websocket(home: Callable[[str, str], AbstractContextManager[Any]]) -> Home:
    """A home that is reached by WebSocket."""
    return lambda server, space: home(server.base_url, space)


HOMES: dict[str, Home] = {
    "embedded": lambda server, space: embedded("", space),
    "async embedded": lambda server, space: embedded_asynchronous("", space),
    "client": over_grpc(blocking),
    "async client": over_grpc(asynchronous),
    "client over WebSocket": over_websocket(blocking),
    "async client over WebSocket": over_websocket(asynchronous),
}
CLIENTS = [name for name in HOMES if "client" in name]

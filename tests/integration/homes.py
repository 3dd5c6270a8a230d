"""The homes of a space: embedded, and a server's with the blocking and the asynchronous client."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from engram import AsyncClient, Client, MemoryStore
from tests.integration.server_process import DIM, TIMEOUT_S


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


HOMES = {"embedded": embedded, "client": blocking, "async client": asynchronous}

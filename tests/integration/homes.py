"""The homes of a space: embedded, and a server's with both clients over every transport."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from engram import AsyncClient, AsyncFollowing, Client, Hit, MemoryStore
from engram.connection.async_memory_store import AsyncMemoryStore
from engram.model.scans.scan import AsyncScan
from engram.model.spaces import Vectors
from engram.model.values.expiry import Ttl
from tests.doubles.http_transport import SCHEME
from tests.integration.server_process import DIM, TIMEOUT_S, vectors_of


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

    def __iter__(self) -> Iterator[Any]:
        return self._batches(aiter(self._inner))

    def _waited_for(self, result: Any) -> Any:
        if isinstance(result, AsyncScan):
            return BlockingScan(result, self._batches)
        if isinstance(result, AsyncFollowing):
            return BlockingFollowing(self._loop, result)
        if inspect.isasyncgen(result):
            return self._batches(result)
        if not inspect.isawaitable(result):
            return result
        value = self._loop.run_until_complete(asyncio.wait_for(result, TIMEOUT_S))
        if asyncio.isfuture(value):
            return Result(lambda: self._loop.run_until_complete(asyncio.wait_for(value, TIMEOUT_S)))
        return Blocking(self._loop, value) if hasattr(value, "recall") else value

    def _batches(self, batches: Any) -> Iterator[Any]:
        try:
            while (
                batch := self._loop.run_until_complete(asyncio.wait_for(anext(batches, None), TIMEOUT_S))
            ) is not None:
                yield batch
        finally:
            if inspect.isasyncgen(batches):
                self._loop.run_until_complete(batches.aclose())


class BlockingScan:
    """An `AsyncScan` for tests that wait."""

    def __init__(self, scan: AsyncScan, waited_for: Callable[[Any], Iterator[Any]]) -> None:
        self._scan = scan
        self._waited_for = waited_for
        self._rows = waited_for(scan)

    @property
    def generation(self) -> int | None:
        return self._scan.generation

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def __next__(self) -> Any:
        return next(self._rows)

    def pages(self) -> Iterator[Any]:
        return self._waited_for(self._scan.pages())


class BlockingFollowing:
    """An `AsyncFollowing` for tests that wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inner: AsyncFollowing[Any]) -> None:
        self._loop = loop
        self._inner = inner

    @property
    def generation(self) -> int:
        return self._inner.generation

    @property
    def incomplete(self) -> bool:
        return self._inner.incomplete

    def __iter__(self) -> BlockingFollowing:
        return self

    def __next__(self) -> Any:
        item = self._loop.run_until_complete(asyncio.wait_for(anext(self._inner, None), TIMEOUT_S))
        if item is None:
            raise StopIteration
        return item

    def close(self) -> None:
        self._loop.run_until_complete(self._inner.aclose())


class Result:
    """A future that is waited for by calling `result`."""

    def __init__(self, wait: Callable[[], Any]) -> None:
        self._wait = wait

    def result(self, timeout: float | None = None) -> Any:
        """What the future has, as soon as it has it."""
        return self._wait()


@contextmanager
def embedded(
    address: str, space: str, embedder: str, vectors: Vectors = "required", ttl: Ttl | None = None
) -> Iterator[Any]:
    """A space of a store in this process."""
    with MemoryStore(None) as store:
        yield store.space(space, dim_of(vectors), embedder=embedder, vectors=vectors, ttl=ttl)


@contextmanager
def embedded_asynchronous(
    address: str, space: str, embedder: str, vectors: Vectors = "required", ttl: Ttl | None = None
) -> Iterator[Any]:
    """A space of a store in this process, for coroutines."""
    with asyncio.Runner() as runner:
        store = AsyncMemoryStore(MemoryStore(None))
        made = runner.run(store.space(space, dim_of(vectors), embedder=embedder, vectors=vectors, ttl=ttl))
        yield Blocking(runner.get_loop(), made)
        runner.run(store.close())


@contextmanager
def blocking(
    address: str, space: str, embedder: str | None, vectors: Vectors = "required", ttl: Ttl | None = None
) -> Iterator[Any]:
    """A client of a server. The space is there if its embedder is None."""
    with Client(address, space=space) as client:
        # Either is tried again while a busy machine takes long to connect; what a test begins with may not be.
        if embedder is None:
            client.status()
        else:
            client.create_space(space, dim_of(vectors), embedder=embedder, vectors=vectors, ttl=ttl)
        yield client


@contextmanager
def asynchronous(
    address: str, space: str, embedder: str | None, vectors: Vectors = "required", ttl: Ttl | None = None
) -> Iterator[Any]:
    """An asynchronous client of a server. The space is there if its embedder is None."""
    with asyncio.Runner() as runner:

        async def opened() -> AsyncClient:
            return AsyncClient(address, space=space)

        client = runner.run(opened())
        if embedder is None:
            runner.run(client.status())
        else:
            runner.run(client.create_space(space, dim_of(vectors), embedder=embedder, vectors=vectors, ttl=ttl))
        yield Blocking(runner.get_loop(), client)
        runner.run(client.close())


_numbers = itertools.count(1)


class Place(Protocol):
    """Where a server is."""

    @property
    def address(self) -> str:
        """The address for gRPC."""

    @property
    def base_url(self) -> str:
        """The address for WebSockets."""


def nowhere(server: Place) -> str:
    """No address: the space is in this process."""
    return ""


def over_grpc(server: Place) -> str:
    """The address of a server for gRPC."""
    return server.address


def over_websocket(server: Place) -> str:
    """The address of a server for WebSockets."""
    return server.base_url


def over_http(server: Place) -> str:
    """The address of a server for the HTTP API."""
    return server.base_url.replace("ws://", f"{SCHEME}://")


class Home:
    """One place for spaces, and the way there.

    Parameters
    ----------
    opened
        Opens a space with an address, a name, an embedder and further settings.
    address_of
        The address of a server for this way.
    """

    def __init__(self, opened: Callable[..., AbstractContextManager[Any]], address_of: Callable[[Place], str]) -> None:
        self._opened = opened
        self._address_of = address_of

    def space(
        self, server: Place, embedder: str = "", vectors: Vectors = "required", ttl: Ttl | None = None
    ) -> AbstractContextManager[Any]:
        """A new space; `server` is where it is if it is on a server."""
        return self._opened(self._address_of(server), f"home-{next(_numbers)}", embedder, vectors, ttl)

    def found(self, server: Place, name: str) -> AbstractContextManager[Any]:
        """A client of a space that is on a server."""
        return self._opened(self._address_of(server), name, None)


def dim_of(vectors: Vectors) -> int | None:
    """The dimension of a space; none is named where there are no vectors."""
    return None if vectors == "none" else DIM


def vector_of(id: str) -> Any:
    """The vector of an id."""
    return vectors_of([id])[0]


def ids(hits: Iterable[Hit]) -> list[str]:
    """The ids of hits."""
    return [hit.id for hit in hits]


HOMES = {
    "embedded": Home(embedded, nowhere),
    "async embedded": Home(embedded_asynchronous, nowhere),
    "client": Home(blocking, over_grpc),
    "async client": Home(asynchronous, over_grpc),
    "client over WebSocket": Home(blocking, over_websocket),
    "async client over WebSocket": Home(asynchronous, over_websocket),
    "client over HTTP": Home(blocking, over_http),
    "async client over HTTP": Home(asynchronous, over_http),
}
CLIENTS = [name for name in HOMES if "client" in name]

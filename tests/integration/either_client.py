"""Both clients over every transport, under one face, in a space of their own: what tests of their calls begin with.

Over gRPC, WebSocket and HTTP they talk to a real server in another process. Over the transport without a socket they
share an event loop with the server's engine.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from engram.client import Ack, AsyncClient, Client
from engram.client.threads.loop_thread import LoopThread
from engram.errors import EngramError
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from tests.doubles.in_process import InProcessServer
from tests.integration.homes import over_grpc, over_http, over_websocket
from tests.integration.server_process import DIM, TIMEOUT_S, vectors_of

_numbers = itertools.count(1)


class Either:
    """One face for both clients, so that every test is told twice."""

    def __init__(self, kind: type[Client | AsyncClient], address: str, loop: asyncio.Runner, **options: Any) -> None:
        self.loop = loop
        self.client = kind(address, **options)

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.client, name)
        return self._called(member) if callable(member) else member

    def _called(self, method: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            result = method(*arguments, **options)
            if inspect.isasyncgen(result):
                return self._drawn(result)
            return self.loop.run(result) if inspect.iscoroutine(result) else result

        return call

    def _drawn(self, items: Any) -> Iterator[Any]:
        async def following() -> Any:
            return await anext(items, None)

        while (item := self.loop.run(following())) is not None:
            yield item
        self.loop.run(items.aclose())

    def result(self, future: Any) -> Ack:
        async def wait() -> Any:
            return await asyncio.wait_for(future, TIMEOUT_S)

        is_async = asyncio.isfuture(future)
        ack = self.loop.run(wait()) if is_async else future.result(TIMEOUT_S)
        assert isinstance(ack, Ack)
        return ack

    def error(self, future: Any) -> EngramError:
        with pytest.raises(EngramError) as caught:
            self.result(future)
        return caught.value


@contextmanager
def serving_in_process(run: Callable[[Any], Any]) -> Iterator[str]:
    """The address of a server without a socket on the event loop on which `run` runs a coroutine."""

    async def start() -> tuple[Engine, InProcessServer]:
        engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM)))
        return engine, InProcessServer(engine)

    async def stop(engine: Engine, server: InProcessServer) -> None:
        await server.stop(TIMEOUT_S)
        await engine.close()

    started = run(start())
    yield started[1].address
    run(stop(*started))


ADDRESSES = {"grpc": over_grpc, "websocket": over_websocket, "http": over_http}


@pytest.fixture(params=[*ADDRESSES, "in-process"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[Client, AsyncClient])
def make(request: pytest.FixtureRequest, transport: str) -> Iterator[Any]:
    kind, made = request.param, list[Either]()
    with asyncio.Runner() as loop, ExitStack() as stack:
        if transport in ADDRESSES:
            address = ADDRESSES[transport](request.getfixturevalue("server"))
        else:
            address = stack.enter_context(serving_in_process(LoopThread.shared().run if kind is Client else loop.run))

        def make_client(to: str = address, **options: Any) -> Either:
            made.append(Either(kind, to, loop, **options))
            return made[-1]

        yield make_client
        for client in made:
            client.close()


@pytest.fixture
def client(make: Any) -> Either:
    name = new_name()
    either: Either = make(space=name)
    either.create_space(name, dim=DIM)
    return either


def new_name() -> str:
    """The name of a space that is not there yet."""
    return f"client-{next(_numbers)}"


def observe_ids(client: Either, ids: list[str]) -> Ack:
    return client.result(client.submit(ids, vectors_of(ids), [f"text of {name}" for name in ids]))

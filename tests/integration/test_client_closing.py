"""How a call ends when its client is closed, when its task is cancelled, and when Ctrl-C ends the wait for it."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from engram import Cue
from engram.client import AsyncClient, Client
from engram.errors import FailedPrecondition
from tests.integration.child_program import run_program
from tests.integration.homes import over_grpc, over_websocket
from tests.integration.server_process import DIM, TIMEOUT_S
from tests.integration.socket_client import SocketServer

VECTOR = np.ones(DIM, np.float32)
NEAR = Cue(VECTOR, score_min=0.5)
_numbers = itertools.count(1)


@pytest.fixture(params=["grpc", "websocket"])
def scheme(request: pytest.FixtureRequest) -> str:
    """What precedes the address of a socket."""
    return {"grpc": "", "websocket": "ws://"}[request.param]


@pytest.fixture
def address(server: SocketServer, scheme: str) -> str:
    return over_websocket(server) if scheme else over_grpc(server)


@pytest.fixture
def space(address: str) -> str:
    name = f"closing-{next(_numbers)}"
    with Client(address, space=name) as client:
        client.create_space(name, dim=DIM)
        client.observe("a", VECTOR)
    return name


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A socket that takes connections and answers nothing."""
    with socket.socket() as listener:
        listener.settimeout(TIMEOUT_S)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


@pytest.fixture
def silence(silent: socket.socket, scheme: str) -> str:
    """The address of the silent socket."""
    return f"{scheme}127.0.0.1:{silent.getsockname()[1]}"


def test_threads_that_wait_for_a_client_are_told_that_it_was_closed(
    address: str, space: str, silent: socket.socket, silence: str
) -> None:
    following, waiting = Client(address, space=space), Client(silence, space=space)
    stream = following.recall_stream(NEAR, follow=True)
    next(stream)
    with ThreadPoolExecutor() as threads:
        work: list[Callable[[], object]] = [
            lambda: next(stream),
            lambda: waiting.recall(VECTOR),
            lambda: waiting.observe("b", VECTOR),
        ]
        calls = [threads.submit(call) for call in work]
        with silent.accept()[0]:
            for client in (following, waiting):
                client.close()
        for call in calls:
            error = call.exception(TIMEOUT_S)
            assert isinstance(error, FailedPrecondition), error
            assert error.code == "client_closed"


async def test_a_task_that_waits_for_a_client_is_not_cancelled_by_its_end(
    address: str, space: str, silence: str
) -> None:
    following, waiting = AsyncClient(address, space=space), AsyncClient(silence, space=space)
    stream = following.recall_stream(NEAR, follow=True)
    await anext(stream)
    whole = waiting.recall_stream(VECTOR)
    tasks: list[asyncio.Task[Any]] = [
        asyncio.create_task(call) for call in (anext(stream), anext(whole), waiting.recall(VECTOR), waiting.connect())
    ]
    for _ in range(10):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    await following.close()
    await waiting.close()
    errors = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), TIMEOUT_S)
    assert [getattr(error, "code", error) for error in errors] == ["client_closed"] * 4
    assert not any(task.cancelled() for task in tasks)


async def test_a_task_that_is_cancelled_is_cancelled(address: str, space: str) -> None:
    async with AsyncClient(address, space=space) as client:
        stream = client.recall_stream(NEAR, follow=True)
        await anext(stream)
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(call) for call in (anext(stream), client.recall(VECTOR), client.observe("b", VECTOR))
        ]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)


INTERRUPTED = """
from engram import Client, Cue
client = Client(sys.argv[1], space=sys.argv[2])
cue = Cue(vector=rows(1)[0], score_min=-1.0)
ended = 0
for number in range(20):
    stream = client.recall_stream(cue, follow=True)
    try:
        next(stream)
        threading.Timer(0.001 * number, os.kill, (os.getpid(), signal.SIGINT)).start()
        for hits in stream:
            pass
    except KeyboardInterrupt:
        ended += 1
print(ended, len(client.recall(cue)))
client.close()
"""


def test_an_interrupted_stream_ends_with_the_interrupt(address: str, space: str) -> None:
    ended = run_program(INTERRUPTED, address, space)
    assert (ended.code, ended.out.strip(), ended.err) == (0, "20 1", "")

"""Every call of a client ends within its time, with a typed error, whatever has become of the server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import pytest

from engram import Cue
from engram.client import AsyncClient, Client, OutboxLimits
from engram.errors import EngramError, FailedPrecondition, OverCapacity, Unavailable
from tests.integration.homes import over_grpc, over_websocket
from tests.integration.server_process import DIM
from tests.integration.socket_client import SocketServer

TIME_S = 0.5
# Only against hanging: nothing is measured.
HANG_S = 30.0
ONE = np.ones(DIM, np.float32)
NEAR = Cue(vector=ONE, score_min=0.5)

Call = Callable[[Client], Any]
T = TypeVar("T")
_numbers = itertools.count(1)

CALLS: dict[str, Call] = {
    "open": Client.connect,
    "observe": lambda client: client.submit("a", ONE),
    "observe_batch": lambda client: client.submit(["a"], ONE[None, :]),
    "recall": lambda client: client.recall(ONE),
    "recall_many": lambda client: client.recall_many(ONE[None, :]),
    "recall_stream": lambda client: list(client.recall_stream(ONE)),
    "follow": lambda client: next(client.recall_stream(NEAR, follow=True)),
    "follow hits": lambda client: next(client.follow(NEAR)),
    "changes": lambda client: next(client.changes(after_generation=0)),
    "forget": lambda client: client.delete(["a"]),
    "create_space": lambda client: client.create_space("other"),
    "spaces": Client.spaces,
    "space_status": Client.space_status,
    "status": Client.status,
}
WEBSOCKET_CALLS = ("open", "recall", "recall_stream", "follow", "changes")


@pytest.fixture(params=["grpc", "websocket"])
def scheme(request: pytest.FixtureRequest) -> str:
    """What precedes the address of a socket."""
    return {"grpc": "", "websocket": "ws://"}[request.param]


@pytest.fixture
def stopped(server: SocketServer) -> Iterator[SocketServer]:
    """A server that is stopped in its tracks once the test says so, and goes on afterwards."""
    yield server
    server.process.send_signal(signal.SIGCONT)


@pytest.fixture
def address(server: SocketServer, scheme: str) -> str:
    return over_websocket(server) if scheme else over_grpc(server)


@pytest.fixture
def space(address: str) -> str:
    name = f"notes-{next(_numbers)}"
    with Client(address) as client:
        client.create_space(name, dim=DIM)
    return name


@contextlib.contextmanager
def nobody(kind: str, scheme: str) -> Iterator[str]:
    """An address where nothing answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{listener.getsockname()[1]}"
        if kind == "never accepts":
            # Connections beyond the queue get no answer at all.
            listener.listen(0)
            with contextlib.ExitStack() as fill:
                for _ in range(4):
                    waiting = fill.enter_context(socket.socket())
                    waiting.setblocking(False)
                    waiting.connect_ex(listener.getsockname())
                yield address
        else:
            if kind == "never answers":
                listener.listen()
            yield address


def refused(call: Call, client: Client) -> EngramError:
    """What `call` raises, on a thread that must not hang."""

    async def attempt() -> EngramError:
        with pytest.raises(EngramError) as caught:
            await asyncio.wait_for(asyncio.to_thread(call, client), HANG_S)
        return caught.value

    return asyncio.run(attempt())


def patiently(call: Callable[[], T]) -> T:
    """What `call` returns, made again while a busy machine takes longer for it than a client here waits."""
    end_s = time.monotonic() + HANG_S
    while True:
        try:
            return call()
        except Unavailable:
            if time.monotonic() > end_s:
                raise


@pytest.mark.parametrize("kind", ["never answers", "never accepts", "not there"])
@pytest.mark.parametrize(
    ("name", "scheme"),
    [*((name, "") for name in CALLS), *((name, "ws://") for name in WEBSOCKET_CALLS)],
)
def test_calls_to_nobody(name: str, kind: str, scheme: str) -> None:
    with nobody(kind, scheme) as address, Client(address, space="notes", timeout_s=TIME_S) as client:
        error = refused(CALLS[name], client)
    assert isinstance(error, Unavailable)
    assert error.code == "no_server"
    assert address in error.message


@pytest.mark.parametrize("used", [False, True])
def test_calls_to_a_stopped_server(stopped: SocketServer, address: str, space: str, used: bool) -> None:
    for name, call in CALLS.items():
        with Client(address, space=space, timeout_s=TIME_S) as client:
            if used:
                patiently(client.status)
                if name in ("observe", "observe_batch", "open"):
                    continue
            stopped.process.send_signal(signal.SIGSTOP)
            assert isinstance(refused(call, client), Unavailable), name
            stopped.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("kind", ["rows", "batches", "flush"])
def test_a_full_buffer_or_a_flush_ends(stopped: SocketServer, address: str, space: str, kind: str) -> None:
    """What was taken is still sent, once the server goes on."""
    limits = OutboxLimits(count_max=100)
    with Client(address, space=space, timeout_s=TIME_S, limits=limits) as client:
        patiently(client.connect)
        stopped.process.send_signal(signal.SIGSTOP)

        def fill(client: Client) -> None:
            for number in range(0, 2000, 10):
                if kind == "rows":
                    client.submit(f"{number}", ONE)
                else:
                    client.submit([f"{number + row}" for row in range(10)], np.ones((10, DIM)))

        if kind == "flush":
            client.submit("0", ONE)
            error = refused(Client.flush, client)
            assert isinstance(error, Unavailable)
            assert error.code == "flush_timeout"
        else:
            error = refused(fill, client)
            assert isinstance(error, OverCapacity)
            assert error.code == "buffer_full"
        stopped.process.send_signal(signal.SIGCONT)
        client.flush(HANG_S)
        assert client.space_status().live_count == (1 if kind == "flush" else 100)


def test_a_flush_goes_on_as_long_as_there_are_answers(address: str, space: str) -> None:
    with Client(address, space=space, timeout_s=5, limits=OutboxLimits(count_max=60_000)) as client:
        for number in range(0, 60_000, 1000):
            client.submit([f"{number + row}" for row in range(1000)], np.ones((1000, DIM)))
        client.flush()
        assert client.space_status().live_count == 60_000


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_a_stream_ends_when_the_server_stops(stopped: SocketServer, address: str, space: str, batches: int) -> None:
    with Client(address, space=space, timeout_s=TIME_S) as client:
        ids = [f"{number}" for number in range(5000)]
        patiently(client.connect)
        client.submit(ids, np.random.default_rng(1).standard_normal((5000, DIM))).result(HANG_S)

        def begun() -> Iterator[Any]:
            stream = client.recall_stream(ONE, k=5000, batch_size=100, include_vectors=True)
            for _ in range(batches):
                next(stream)
            return stream

        stream = patiently(begun)
        stopped.process.send_signal(signal.SIGSTOP)
        error = refused(lambda _: list(stream), client)
        stopped.process.send_signal(signal.SIGCONT)
        assert isinstance(error, Unavailable)


def test_a_standing_recall_notices_a_server_that_is_gone_without_a_word(
    stopped: SocketServer, address: str, space: str
) -> None:
    with Client(address, space=space, timeout_s=TIME_S) as client:
        patiently(client.connect)
        client.submit("a", ONE).result(HANG_S)

        def begun() -> Iterator[Any]:
            stream = client.recall_stream(NEAR, follow=True, k=1, batch_size=1)
            assert [hit.id for hit in next(stream)] == ["a"]
            return stream

        stream = patiently(begun)
        stopped.process.send_signal(signal.SIGSTOP)
        error = refused(lambda _: next(stream), client)
        stopped.process.send_signal(signal.SIGCONT)
        assert isinstance(error, Unavailable)


@pytest.mark.parametrize("timeout_s", [0, 0.2, 1])
@pytest.mark.parametrize("held", [0, 1, 1000])
def test_closing_ends(stopped: SocketServer, address: str, space: str, held: int, timeout_s: float) -> None:
    client = Client(address, space=space, timeout_s=TIME_S)
    patiently(client.connect)
    stopped.process.send_signal(signal.SIGSTOP)
    futures = [client.submit(f"{number}", ONE) for number in range(held)]
    client.close(timeout_s)
    assert all(future.done() for future in futures)
    error = refused(lambda client: client.submit("late", ONE), client)
    assert isinstance(error, FailedPrecondition)
    stopped.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("name", ["observe", "recall", "open"])
async def test_many_callers_do_not_wait_for_one_another(name: str, scheme: str) -> None:
    """Each of them has its own time, also where they wait for the same session."""
    with nobody("never answers", scheme) as address:
        client = AsyncClient(address, space="notes", timeout_s=TIME_S)
        call = {
            "observe": lambda: client.submit("a", ONE),
            "recall": lambda: client.recall(ONE),
            "open": client.connect,
        }
        begun = asyncio.get_running_loop().time()
        attempts = [asyncio.create_task(call[name]()) for _ in range(100)]
        results = await asyncio.wait_for(asyncio.gather(*attempts, return_exceptions=True), HANG_S)
        assert {type(result) for result in results} == {Unavailable}
        # One after the other, they would have taken fifty seconds.
        assert asyncio.get_running_loop().time() - begun < HANG_S
        await client.close()

"""Callbacks of a blocking client's futures may do what any other code may do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from engram.client import Client
from engram.client.threads import callback_thread
from engram.client.threads.loop_thread import LoopThread
from engram.errors import FailedPrecondition, OverCapacity
from tests.integration.child_program import run_program
from tests.integration.server_process import DIM, TIMEOUT_S, ServerProcess

VECTOR = np.ones(DIM, np.float32)
_numbers = itertools.count(1)


@pytest.fixture
def space(server: ServerProcess) -> str:
    name = f"callbacks-{next(_numbers)}"
    with Client(server.address) as client:
        client.create_space(name, dim=DIM)
    return name


@pytest.fixture
def client(server: ServerProcess, space: str) -> Iterator[Client]:
    with Client(server.address, space=space) as client:
        yield client


def called(client: Client, callback: Any) -> Any:
    """What `callback` returns when it is called for an observation."""
    done: Future[Any] = Future()

    def call(_: Any) -> None:
        try:
            done.set_result(callback())
        except BaseException as error:
            done.set_exception(error)

    client.submit("first", VECTOR).add_done_callback(call)
    return done.result(TIMEOUT_S)


def test_a_callback_may_wait_for_its_client(client: Client) -> None:
    assert [hit.id for hit in called(client, lambda: client.recall(VECTOR))] == ["first"]
    assert called(client, lambda: client.observe("second", VECTOR)).count == 1
    assert called(client, lambda: client.submit(["third"], VECTOR[None]).result(TIMEOUT_S)).count == 1
    assert called(client, client.flush) is None
    assert called(client, lambda: sum(map(len, client.recall_stream(VECTOR)))) == 3
    assert called(client, client.close) is None


def test_flush_and_close_return_after_the_callbacks(server: ServerProcess, space: str) -> None:
    ran: list[str] = []
    with Client(server.address, space=space) as client:
        for number in range(100):
            client.submit(f"a-{number}", VECTOR).add_done_callback(lambda _: ran.append("flush"))
        client.flush()
        assert ran == ["flush"] * 100
        client.submit("b", VECTOR).add_done_callback(lambda _: ran.append("close"))
    assert ran[100:] == ["close"]


def test_observing_waits_while_too_many_callbacks_do(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_thread, "WAITING_MAX", 0)
    monkeypatch.setattr(client, "_timeout_s", 0.01)
    going: Future[None] = Future()
    futures = [client.submit(id, VECTOR) for id in "abc"]
    for future in futures:
        future.add_done_callback(lambda _: going.result(TIMEOUT_S))
    for future in futures:
        future.result(TIMEOUT_S)
    # The first may be running, the others wait.
    with pytest.raises(OverCapacity, match="callbacks") as caught:
        client.submit("d", VECTOR)
    assert (caught.value.code, caught.value.field) == ("answers_full", "answers")
    going.set_result(None)
    client._thread.callbacks.finish(TIMEOUT_S)
    assert client.submit("d", VECTOR).result(TIMEOUT_S).sequence == 4


def test_waiting_on_the_thread_of_the_clients_is_refused_at_once(client: Client) -> None:
    client.connect()
    waiting = [
        lambda: client.recall(VECTOR),
        lambda: client.observe("a", VECTOR),
        lambda: client.submit("a", VECTOR),
        lambda: next(client.recall_stream(VECTOR)),
        client.flush,
        client.close,
        client.stats,
    ]

    async def call(wait: Any) -> str:
        with pytest.raises(FailedPrecondition, match="thread of your own") as caught:
            wait()
        return caught.value.code

    for wait in waiting:
        assert LoopThread.shared().run(call(wait)) == "client_thread"


AT_THE_END = """
from engram import Client
client = Client(sys.argv[1], space=sys.argv[2])
vector = np.ones(16, np.float32)
client.submit("first", vector).result()
client.recall(vector)
future = client.submit("third", vector)
future.add_done_callback(HOW)
"""


@pytest.mark.parametrize(
    ("how", "code", "out"),
    [("lambda _: print(len(client.recall(vector)), flush=True)", 0, "2"), ("lambda _: sys.exit(3)", 0, "")],
)
def test_callbacks_run_before_the_interpreter_ends(
    server: ServerProcess, space: str, how: str, code: int, out: str
) -> None:
    ended = run_program(AT_THE_END.replace("HOW", how), server.address, space)
    assert (ended.code, ended.out.strip()) == (code, out), ended.err

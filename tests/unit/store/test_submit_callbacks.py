"""Callbacks of the futures that ``submit`` returns."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future

from engram.errors import (
    EngramError,
)
from engram.model.ack import Ack
from engram.store import MemoryStore, Space
from engram.store.commit.queue import CommitRequest, CommitResult
from tests.doubles.batches import DIM, batch_of, vector_of
from tests.doubles.stored_ids import live_ids
from tests.doubles.waiting import TIMEOUT_S


def held_committer(space: Space) -> threading.Event:
    """Keep the committer in an answer until the event that is returned."""
    entered, release = threading.Event(), threading.Event()

    def done(_: CommitResult | EngramError) -> None:
        entered.set()
        assert release.wait(TIMEOUT_S)

    space._engine._submit(CommitRequest(space=space._engine, batch=batch_of(["held"]), done=done))
    assert entered.wait(TIMEOUT_S)
    return release


def test_a_callback_may_write_to_the_store() -> None:
    with MemoryStore(None) as store:
        space, seen = store.space(dim=DIM), list[str]()
        done = threading.Event()

        def write(future: Future[Ack]) -> None:
            space.observe(f"after {future.result()}", vector_of("b"))
            space.submit("later", vector_of("c")).add_done_callback(lambda _: done.set())
            seen.append(threading.current_thread().name)

        release = held_committer(space)
        space.submit("a", vector_of("a")).add_done_callback(write)
        release.set()
        assert done.wait(TIMEOUT_S)
        assert live_ids(space) == sorted(["held", "a", "after 2", "later"])
    assert seen == ["engram-answers"]


def test_a_callback_that_takes_long_delays_no_write() -> None:
    with MemoryStore(None) as store:
        space, other = store.space(dim=DIM), store.space("other", dim=DIM)
        entered, leave = threading.Event(), threading.Event()

        def stay(_: Future[Ack]) -> None:
            entered.set()
            assert leave.wait(TIMEOUT_S)

        release = held_committer(space)
        space.submit("a", vector_of("a")).add_done_callback(stay)
        release.set()
        assert entered.wait(TIMEOUT_S)
        assert other.observe("b", vector_of("b")) == 1
        assert space.observe("b", vector_of("b")) == 3
        leave.set()


def test_a_callback_may_close_the_store() -> None:
    store = MemoryStore(None)
    space, closed = store.space(dim=DIM), threading.Event()

    def close(_: Future[Ack]) -> None:
        store.close()
        closed.set()

    release = held_committer(space)
    space.submit("a", vector_of("a")).add_done_callback(close)
    after = space.submit("b", vector_of("b"))
    release.set()
    assert closed.wait(TIMEOUT_S)
    assert after.result(TIMEOUT_S) == 3
    store.close()


def test_closing_settles_what_was_submitted_and_ends_the_thread(own_threads: Callable[[], list[str]]) -> None:
    store = MemoryStore(None)
    space, order = store.space(dim=DIM), list[int]()
    assert "engram-answers" not in own_threads()
    release = held_committer(space)
    for number in range(100):
        space.submit(f"id-{number}", vector_of("a")).add_done_callback(lambda future: order.append(future.result()))
    assert "engram-answers" in own_threads()
    release.set()
    store.close()
    assert order == list(range(2, 102))
    assert "engram-answers" not in own_threads()


def test_a_program_that_ends_has_its_callbacks_called() -> None:
    program = (
        "import engram, numpy as np\n"
        "space = engram.MemoryStore(None).space(dim=8)\n"
        "for number in range(50):\n"
        "    space.submit('a', np.ones(8)).add_done_callback(lambda future: print(future.result()))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert sorted(map(int, ran.stdout.split())) == list(range(1, 51))

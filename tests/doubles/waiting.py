"""Waiting for what happens on other threads, without sleeping or polling."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engram.errors import EngramError
from engram.store.commit.queue import CommitResult
from engram.store.space import Space

# Long enough for any machine to make some progress; only a failing test waits for it.
TIMEOUT_S = 60.0


def wait_while_it_moves(done: threading.Event, progress: Callable[[], object]) -> bool:
    """Wait for `done` for as long as `progress` keeps changing; whether it came.

    How long much work takes depends on who else uses the machine. That nothing at all happens for so long does not.
    """
    while True:
        before = progress()
        if done.wait(TIMEOUT_S):
            return True
        if progress() == before:
            return False


def wait_until_indexed(space: Space, generation: int | None = None) -> None:
    """Return when everything up to `generation`, by default all that is visible now, is in the graph."""
    wanted = space.generation if generation is None else generation
    reached = threading.Event()

    def look(_: int) -> None:
        if space.indexed_generation >= wanted:
            reached.set()

    space._engine.add_indexed_listener(look)
    look(0)
    moved = wait_while_it_moves(reached, lambda: space.indexed_generation)
    assert moved, f"{space.indexed_generation} of {wanted} indexed, and nothing for {TIMEOUT_S:g} s"


class Outcomes:
    """A `done` callback that remembers what it was called with."""

    def __init__(self) -> None:
        self.all: list[CommitResult | EngramError] = []
        self._called = threading.Semaphore(0)

    def __call__(self, outcome: CommitResult | EngramError) -> None:
        self.all.append(outcome)
        self._called.release()

    def next(self) -> CommitResult | EngramError:
        """Wait for one more call; the outcome of the latest."""
        assert self._called.acquire(timeout=TIMEOUT_S)
        return self.all[-1]

    def result(self) -> CommitResult:
        """Wait for one more call, which must bring a result."""
        outcome = self.next()
        assert isinstance(outcome, CommitResult), outcome
        return outcome

    def error(self) -> EngramError:
        """Wait for one more call, which must bring an error."""
        outcome = self.next()
        assert isinstance(outcome, EngramError), outcome
        return outcome

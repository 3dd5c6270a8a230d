"""A store that commits when the test says so, with the sequence rules of the real one and nothing behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engram.errors import EngramError, SequenceError
from engram.model.batches.checks import check_batch
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig
from engram.store.commit.queue import CommitQueue, CommitRequest, CommitResult
from engram.store.commit.session_table import SequenceRange
from engram.store.naming.space_life import SpaceLife


@dataclass
class FakeTail:
    """A tail that is as full as a test says, and is linked at a thousand observations a second."""

    count: int = 0
    limit: int = 100
    field: str = "tail_observations"
    unit_bytes: int = 1

    def time_to_drain_ms(self, count: int) -> int:
        return count


class FakeSpace:
    """Knows the durable sequence of each session and gives generations; keeps what was stored, in order."""

    def __init__(self, name: str = "default", dim: int = 8) -> None:
        self.config = SpaceConfig(name, dim)
        self.incarnation = ""
        self.generation = 0
        self.indexed_generation = 0
        self.stored: list[str] = []
        self.durable: dict[str, int] = {}
        self.writers: dict[str, int] = {}
        self.fail_next: EngramError | None = None
        self.tail = FakeTail()
        self.index_bytes = 0
        self.log_bytes = 0
        self.held_count = 0
        self.life = SpaceLife()
        self._listeners: list[Callable[..., None]] = []

    def stats(self) -> FakeSpace:
        """Itself, which has the numbers that are asked for."""
        return self

    def held(self) -> FakeSpace:
        """Itself, as it never rests."""
        self.held_count += 1
        return self

    def let_go(self) -> None:
        """Take back one `held`."""
        self.held_count -= 1

    def prepare(self, batch: ObservationBatch) -> ObservationBatch:
        return check_batch(batch, self.config)

    def durable_sequence(self, session: str) -> int:
        return self.durable.get(session, 0)

    def last_writer(self, session: str) -> int:
        return self.writers.get(session, 0)

    def latest_sequences(self, session: str) -> tuple[SequenceRange, ...]:
        return ()

    def add_indexed_listener(self, callback: Callable[..., None]) -> None:
        self._listeners.append(callback)

    def index_up_to(self, generation: int) -> None:
        self.indexed_generation = generation
        for listener in self._listeners:
            listener(generation)

    def commit(self, request: CommitRequest) -> CommitResult | EngramError:
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            return error
        assert request.batch is not None
        first, count = request.first_sequence, len(request.batch)
        durable = self.durable_sequence(request.session)
        known = 0
        if request.session:
            if first > durable + 1:
                return SequenceError("gap", expected_sequence=durable + 1)
            if first + count - 1 <= durable:
                return CommitResult(0, 0, 0, duplicate=True)
            known = durable + 1 - first
            self.durable[request.session] = first + count - 1
            self.writers[request.session] = request.writer
        fresh = list(request.batch.ids)[known:]
        self.stored.extend(fresh)
        self.generation += len(fresh)
        return CommitResult(self.generation - len(fresh) + 1, self.generation, len(fresh))


class FakeStore:
    """Queues requests in `queue`; `commit` answers what one take gives. It has no directory."""

    path = None

    def __init__(self, queue: CommitQueue, spaces: Sequence[FakeSpace]) -> None:
        self.queue = queue
        self._spaces = spaces

    def spaces(self) -> Sequence[FakeSpace]:
        return self._spaces

    def submit(self, request: CommitRequest) -> None:
        self.queue.put(request)

    def commit(self) -> int:
        """Commit what one take returns, and say how many requests that were."""
        taken = self.queue.take(0.0)
        for request in taken:
            space: Any = request.space
            request.done(space.commit(request))
        return len(taken)

    def commit_all(self) -> None:
        """Commit until nothing waits."""
        while self.commit():
            pass


class ManualClock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds

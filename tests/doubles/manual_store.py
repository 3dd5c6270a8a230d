"""A real space over a log that can lose power, with a committer and index workers that work when the test says so."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from engram.model.spaces import SpaceConfig
from engram.store.commit.answer_thread import AnswerThread
from engram.store.commit.queue import CommitQueue, CommitRequest
from engram.store.commit.serial_executor import SerialExecutor
from engram.store.meter.recall_meter import RecallMeter
from engram.store.options import StoreOptions
from engram.store.recovery import recover_space
from engram.store.space_catalog import StoredSpace
from engram.store.space_engine import SpaceEngine
from tests.doubles.batches import DIM
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.logs import manifest_of

_OPTIONS = StoreOptions(segment_bytes=16 * 1024)


class Stored(NamedTuple):
    """One observation of a session as the log has it."""

    sequence: int
    generation: int
    id: str


class ManualStore:
    """One space, recovered from `storage`, and the queue before it. The store has no directory of its own."""

    path = None

    def __init__(self, queue: CommitQueue, storage: FaultyStorage) -> None:
        self.queue = queue
        self.storage = storage
        self._encoder = SerialExecutor("test-encoder")
        stored = StoredSpace(SpaceConfig("default", DIM), storage, manifest_of(storage), 0)
        self._state = recover_space(stored, "", _OPTIONS)
        self.space = SpaceEngine(
            stored.config,
            self._state,
            _OPTIONS,
            self.submit,
            lambda _: None,
            self._encoder,
            AnswerThread(),
            RecallMeter(0.0),
        )

    def spaces(self) -> list[SpaceEngine]:
        """The one space."""
        return [self.space]

    def submit(self, request: CommitRequest) -> None:
        """Queue a request, as `MemoryStore.submit` does."""
        request.space.admit(request)
        try:
            self.queue.put(request)
        except BaseException:
            request.space.withdraw(request)
            raise

    def commit(self) -> int:
        """Make one group commit of what one take returns, and say how many requests that were."""
        taken = self.queue.take(0.0)
        if taken:
            self.space.commit(taken)
        return len(taken)

    def link(self, count: int) -> None:
        """Link up to `count` observations, as one turn of an index worker does."""
        self.space.indexing.link(count)
        self.space.indexing.announce()

    def stored(self, session: str) -> list[Stored]:
        """Everything of `session`, in the order of generations."""
        return [
            Stored(record.first_sequence + row, record.first_generation + row, id)
            for record in self._state.log.records()
            if record.session == session
            for row, id in enumerate(record.ids())
        ]

    def crash(self, random: Random) -> FaultyStorage:
        """Lose power: return what is found on the disk afterwards."""
        survivor = self.storage.after_power_loss(random)
        self.close()
        return survivor

    def close(self) -> None:
        """End the threads."""
        self.space.close()
        self._encoder.stop()

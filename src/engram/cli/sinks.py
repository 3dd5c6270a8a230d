"""Where ``engram ingest`` puts its batches: a session of a server, or of a store in this process."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import Final, Protocol

from engram.cli.target import DirectoryTarget, ServerTarget, Target, existing_space
from engram.client import Ack, Client
from engram.errors import EngramError, NotFound, OverCapacity
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig
from engram.store import MemoryStore
from engram.store.commit.queue import CommitRequest, CommitResult

# Enough for one batch to be checked, one to wait and one to be written at any time.
_IN_FLIGHT_MAX: Final = 4


class Sink(Protocol):
    """Takes batches in order, under the sequence numbers of one session."""

    @property
    def config(self) -> SpaceConfig:
        """The space."""
        ...

    @property
    def durable_sequence(self) -> int:
        """How many observations of the session were stored before."""
        ...

    def put(self, batch: ObservationBatch) -> None:
        """Hand over a batch; waits while too much is unanswered. Raises why an earlier one was refused."""
        ...

    def finish(self) -> int:
        """Wait for all answers and return the last generation. Raises why something was refused."""
        ...

    def abandon(self) -> tuple[int, int]:
        """Give up what is unanswered; return the last generation and how many observations were stored."""
        ...


class ServerSink:
    """A session of a server."""

    def __init__(self, target: ServerTarget, space: str, session: str) -> None:
        self._client = Client(target.address, space=space, session_id=session, timeout_s=target.timeout_s)
        self._answers = _Answers()
        try:
            self.config = self._client.space_status().config
            self._client.open()
        except BaseException:
            self._client.close()
            raise
        self.durable_sequence = self._client.durable_sequence

    def put(self, batch: ObservationBatch) -> None:
        future = self._hand_over(batch)
        while future is None:
            # A server that is away comes back, or the client gives up on what waits, and then this raises why.
            self._answers.wait_for_one()
            future = self._hand_over(batch)
        self._answers.add(future, len(batch))

    def _hand_over(self, batch: ObservationBatch) -> Future[Ack] | None:
        """Have the client send a batch; None if it has no room for it, as too much is unanswered."""
        try:
            return self._observe(batch)
        except OverCapacity as error:
            if error.code != "buffer_full":
                raise
            return None

    def _observe(self, batch: ObservationBatch) -> Future[Ack]:
        return self._client.observe_batch(
            batch.ids,
            batch.vectors,
            batch.contents,
            timestamps=batch.times_us.view("datetime64[us]"),
            confidences=batch.confidences,
            importances=batch.importances,
            metadata=batch.metadata,
            tags=batch.tags,
        )

    def finish(self) -> int:
        try:
            generation = self._answers.all()
        except EngramError:
            self._client.close()
            raise
        self._client.close()
        return generation

    def abandon(self) -> tuple[int, int]:
        self._client.close(timeout_s=0)
        return self._answers.known()


class StoreSink:
    """A session of a store in this process."""

    def __init__(self, store: MemoryStore, space: str, session: str) -> None:
        self._store = store
        try:
            self._space = existing_space(store, space)
        except NotFound as error:
            raise NotFound(f"{error.message}; --create makes it", code=error.code, value=space) from None
        self._session = session
        self._answers = _Answers()
        self.config = self._space.config
        self.durable_sequence = self._space.durable_sequence(session)
        self._next_sequence = self.durable_sequence + 1

    def put(self, batch: ObservationBatch) -> None:
        batch = self._space.prepare(batch)
        answer: Future[CommitResult] = Future()

        def done(outcome: CommitResult | EngramError) -> None:
            if isinstance(outcome, EngramError):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

        self._answers.wait_below(_IN_FLIGHT_MAX)
        self._store.submit(
            CommitRequest(
                space=self._space, batch=batch, session=self._session, first_sequence=self._next_sequence, done=done
            )
        )
        self._answers.add(answer, len(batch))
        self._next_sequence += len(batch)

    def finish(self) -> int:
        return self._answers.all()

    def abandon(self) -> tuple[int, int]:
        # The few that are unanswered are stored when the store is closed.
        return self._answers.known()


def open_sink(target: Target, space: str, session: str) -> Sink:
    """A sink for one space of a target.

    Raises
    ------
    NotFound
        There is no such space.
    """
    if isinstance(target, DirectoryTarget):
        return StoreSink(target.store, space, session)
    assert isinstance(target, ServerTarget)  # noqa: S101 - the only other kind there is.
    return ServerSink(target, space, session)


class _Answers:
    """Answers that are still to come, in order."""

    def __init__(self) -> None:
        # With the number of observations each is for.
        self._waiting: deque[tuple[Future[Ack] | Future[CommitResult], int]] = deque()
        self._last_generation = 0
        self._stored = 0

    def add(self, answer: Future[Ack] | Future[CommitResult], count: int) -> None:
        """Note one more, for `count` observations, and look at those that have come."""
        self._waiting.append((answer, count))
        while self._waiting and self._waiting[0][0].done():
            self._take()

    def wait_below(self, count: int) -> None:
        """Wait until fewer than `count` are missing."""
        while len(self._waiting) >= count:
            self._take()

    def wait_for_one(self) -> None:
        """Wait for the oldest that is missing, if any is."""
        if self._waiting:
            self._take()

    def all(self) -> int:
        """Wait for all; return the last generation."""
        self.wait_below(1)
        return self._last_generation

    def known(self) -> tuple[int, int]:
        """Return the last generation and how many observations were stored, as far as is known without waiting."""
        while self._waiting and _succeeded(self._waiting[0][0]):
            self._take()
        return self._last_generation, self._stored

    def _take(self) -> None:
        # Waits without losing the answer if that is interrupted.
        self._waiting[0][0].exception()
        answer, count = self._waiting.popleft()
        self._last_generation = answer.result().last_generation
        self._stored += count


def _succeeded(answer: Future[Ack] | Future[CommitResult]) -> bool:
    return answer.done() and not answer.cancelled() and answer.exception() is None

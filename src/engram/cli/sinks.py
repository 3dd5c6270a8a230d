"""The sinks of ``engram ingest``: a session of a server, or of a store in this process."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import Final, Protocol

from engram.cli.target import DirectoryTarget, ServerTarget, Target, existing_space
from engram.client import Ack, Client
from engram.errors import EngramError, NotFound, OverCapacity
from engram.model.arguments import arguments_of
from engram.model.observations import ObservationBatch
from engram.model.operations.naming_errors import followed_by
from engram.model.spaces import SpaceConfig
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.store.store_engine import StoreEngine

# Enough that one batch is checked, one waits and one is written at any time.
_IN_FLIGHT_MAX: Final = 4


class Sink(Protocol):
    """A destination that stores batches in order, under the sequence numbers of one session."""

    @property
    def config(self) -> SpaceConfig:
        """Settings of the space."""
        ...

    @property
    def durable_sequence(self) -> int:
        """Number of observations of the session that were stored before this sink was opened."""
        ...

    def put(self, batch: ObservationBatch) -> None:
        """Hand over a batch; wait while too many batches are unanswered.

        Raises
        ------
        EngramError
            The error that an earlier batch, or this one, was refused with.
        """
        ...

    def finish(self) -> int:
        """Wait for all answers and return the last generation.

        Raises
        ------
        EngramError
            The error that a batch was refused with.
        """
        ...

    def abandon(self) -> tuple[int, int]:
        """Give up unanswered batches; return the last generation and the number of stored observations.

        Both numbers cover only the batches that are answered by now.
        """
        ...


class ServerSink:
    """A sink for a session of a server."""

    def __init__(self, target: ServerTarget, space: str, session: str) -> None:
        self._client = Client(target.address, space=space, session_id=session, timeout_s=target.timeout_s)
        self._answers = _Answers()
        try:
            self.config: SpaceConfig = self._client.space_status().config
            self._client.connect()
        except BaseException:
            self._client.close()
            raise
        self.durable_sequence: int = self._client.durable_sequence

    def put(self, batch: ObservationBatch) -> None:
        """Send a batch; wait while the buffer of the client is full."""
        future = self._add_when_room(batch)
        while future is None:
            # While the server is away, this waits. If the client gives up on the oldest batch, this raises its error.
            self._answers.wait_for_one()
            future = self._add_when_room(batch)
        self._answers.add(future, len(batch))

    def _add_when_room(self, batch: ObservationBatch) -> Future[Ack] | None:
        """Have the client send a batch; return None if its buffer is full of unanswered observations."""
        try:
            return self._client.submit(**arguments_of(batch))
        except OverCapacity as error:
            if error.code != "buffer_full":
                raise
            return None

    def finish(self) -> int:
        """Wait for all answers, close the client, and return the last generation."""
        try:
            generation = self._answers.all()
        except EngramError:
            self._client.close()
            raise
        self._client.close()
        return generation

    def abandon(self) -> tuple[int, int]:
        """Close the client without waiting; return the last generation and the number of stored observations."""
        self._client.close(timeout_s=0)
        return self._answers.known()


class StoreSink:
    """A sink for a session of a store in this process."""

    def __init__(self, store: StoreEngine, space: str, session: str) -> None:
        self._store = store
        try:
            self._space = existing_space(store, space)
        except NotFound as error:
            raise NotFound(followed_by(error.message, "--create makes it"), code=error.code, value=space) from None
        self._session = session
        self._answers = _Answers()
        self.config: SpaceConfig = self._space.config
        self.durable_sequence: int = self._space.durable_sequence(session)
        self._next_sequence = self.durable_sequence + 1

    def put(self, batch: ObservationBatch) -> None:
        """Submit a batch to the committer; wait while too many batches are unanswered."""
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
        """Wait for all answers and return the last generation."""
        return self._answers.all()

    def abandon(self) -> tuple[int, int]:
        """Return the last generation and the number of observations that are known to be stored."""
        # The few unanswered batches are stored when the store is closed.
        return self._answers.known()


def open_sink(target: Target, space: str, session: str) -> Sink:
    """Return a sink for one space of a target, under the session id `session`.

    Raises
    ------
    NotFound
        If there is no such space.
    EngramError
        If the session cannot be opened.
    """
    if isinstance(target, DirectoryTarget):
        return StoreSink(target.store, space, session)
    return ServerSink(target, space, session)


class _Answers:
    """Pending answers, in the order of their batches."""

    def __init__(self) -> None:
        # Each pending answer with the number of observations in its batch.
        self._waiting: deque[tuple[Future[Ack] | Future[CommitResult], int]] = deque()
        self._last_generation = 0
        self._stored = 0

    def add(self, answer: Future[Ack] | Future[CommitResult], count: int) -> None:
        """Add the pending answer for a batch of `count` observations, and take the answers that have arrived."""
        self._waiting.append((answer, count))
        while self._waiting and self._waiting[0][0].done():
            self._take()

    def wait_below(self, count: int) -> None:
        """Wait until fewer than `count` answers are pending."""
        while len(self._waiting) >= count:
            self._take()

    def wait_for_one(self) -> None:
        """Wait for the oldest pending answer, if there is one."""
        if self._waiting:
            self._take()

    def all(self) -> int:
        """Wait for all answers; return the last generation."""
        self.wait_below(1)
        return self._last_generation

    def known(self) -> tuple[int, int]:
        """Return the last generation and the number of stored observations, by the answers that have arrived."""
        while self._waiting and _succeeded(self._waiting[0][0]):
            self._take()
        return self._last_generation, self._stored

    def _take(self) -> None:
        # Wait before the answer is removed, so that an interrupt does not lose it.
        self._waiting[0][0].exception()
        answer, count = self._waiting.popleft()
        self._last_generation = answer.result().last_generation
        self._stored += count


def _succeeded(answer: Future[Ack] | Future[CommitResult]) -> bool:
    return answer.done() and not answer.cancelled() and answer.exception() is None

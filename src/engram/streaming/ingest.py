"""The path of observations and deletes from the event loop to the store, and of the results back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Final, cast

from engram.errors import EngramError
from engram.model.observations import ObservationBatch, lacks_vectors
from engram.model.priority import Priority
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.store.space_engine import SpaceEngine
from engram.store.store_engine import StoreEngine
from engram.streaming.admission_spans import begin_admission, end_admission
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.observation_latency import ObservationLatency
from engram.streaming.pressure.load_shedding import LoadShedder

if TYPE_CHECKING:
    from engram.tracing.recorder import StageSpan

Receive = Callable[[CommitResult | EngramError], None]


class Ingest:
    """Submits requests to the store's committer. The results of one group commit share one wake-up of the event loop.

    Parameters
    ----------
    store
        The store whose committer stores the requests.
    mailbox
        Delivers the results to the event loop.
    admission
        Refuses requests that the pressure does not admit.
    executor
        Runs embedders, which would block the event loop for too long.
    """

    def __init__(self, store: StoreEngine, mailbox: Mailbox, admission: LoadShedder, executor: Executor) -> None:
        self._store = store
        self.admission = admission
        self.latency: Final = ObservationLatency(mailbox)
        self._mailbox = mailbox
        self._executor = executor

    async def prepare(self, space: SpaceEngine, batch: ObservationBatch) -> ObservationBatch:
        """Return `batch`, checked against `space`, with vectors from the embedder of the space where it has none.

        Raises
        ------
        InvalidInput
            If the batch is invalid. The error names the first fault; nothing of the batch may be stored.
        FailedPrecondition
            If vectors are missing and the space has no embedder.
        """
        if not (space.config.embedder and lacks_vectors(batch)):
            return space.prepare(batch)
        return await asyncio.get_running_loop().run_in_executor(self._executor, space.prepare, batch)

    def submit(
        self,
        space: SpaceEngine,
        batch: ObservationBatch,
        receive: Receive,
        *,
        priority: Priority = Priority.NORMAL,
        session: str = "",
        first_sequence: int = 0,
        writer: int = 0,
        expected_generations: Sequence[int] | None = None,
        received_s: float,
        admission: StageSpan | None = None,
    ) -> None:
        """Queue a prepared batch, received at `received_s`. The event loop later calls `receive` with the result.

        The spans of the commit and of the index are within `admission`.

        Raises
        ------
        OverCapacity, Unavailable
            If the batch is not queued. `receive` is never called in this case.
        """
        done: Receive = self._answerer(space, receive, received_s)
        if admission is not None:
            done = space.spans.around(done, len(batch), admission)
        request = CommitRequest(
            space=space,
            batch=batch,
            delete_ids=None,
            session=session,
            first_sequence=first_sequence,
            writer=writer,
            expected_generations=expected_generations,
            done=done,
            priority=priority,
        )
        self._queue(space, request)

    async def observe(
        self,
        space: SpaceEngine,
        batch: ObservationBatch,
        priority: Priority,
        expected_generations: Sequence[int] | None = None,
    ) -> CommitResult:
        """Check and store `batch` outside of any session, and return the result of the commit.

        With `expected_generations`, it is stored only if the live version of each id has this generation.

        Raises
        ------
        EngramError
            If the batch could not be stored. The error gives the reason.
        """
        answer, received_s = _Answer(), perf_counter()
        span = begin_admission(space.config.name, batch, priority)
        try:
            prepared = await self.prepare(space, batch)
            self.submit(
                space,
                prepared,
                answer.receive,
                priority=priority,
                expected_generations=expected_generations,
                received_s=received_s,
                admission=span,
            )
        except EngramError as error:
            end_admission(span, error)
            raise
        end_admission(span)
        return await answer.result

    async def delete(
        self, space: SpaceEngine, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> CommitResult:
        """Delete the observations with these ids, and return the result of the commit.

        With `versions`, only those whose live version still has this generation are deleted.

        Deletions need little room and may be what makes more, so no pressure refuses them; the lane and the tail have
        limits of their own.

        Raises
        ------
        OverCapacity, Unavailable
            If the lane is full, or the store cannot accept the request now.
        """
        answer = _Answer()
        request = CommitRequest(
            space=space,
            batch=None,
            delete_ids=list(ids),
            delete_versions=versions,
            session="",
            first_sequence=0,
            done=self._answerer(space, answer.receive),
            priority=Priority.NORMAL,
        )
        self._queue(space, request)
        return await answer.result

    def _queue(self, space: SpaceEngine, request: CommitRequest) -> None:
        if request.batch is not None:
            # Deletions are admitted whatever the pressure, because they are what ends some of it.
            self.admission.check(space, request.priority, request.nbytes)
        self._store.submit(request)
        # The engine that admitted it, if the other one had come to rest.
        self.admission.entered(cast("SpaceEngine", request.space), request)

    def _answerer(self, space: SpaceEngine, receive: Receive, received_s: float | None = None) -> Receive:
        """Return a callback that takes the result on the committer's thread and delivers it to the event loop."""

        def answered(outcome: CommitResult | EngramError) -> None:
            self.admission.look_soon(space)
            receive(outcome)
            if received_s is not None and isinstance(outcome, CommitResult):
                self.latency.note_stored(space, outcome, received_s)

        return partial(self._mailbox.post, answered)


class _Answer:
    """A future that receives a result or an error, and ignores it once the waiter has been cancelled."""

    def __init__(self) -> None:
        self.result: asyncio.Future[CommitResult] = asyncio.get_running_loop().create_future()

    def receive(self, outcome: CommitResult | EngramError) -> None:
        if self.result.done():
            return
        if isinstance(outcome, EngramError):
            self.result.set_exception(outcome)
        else:
            self.result.set_result(outcome)

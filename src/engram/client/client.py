"""The client for blocking code: an `AsyncClient` on a background thread."""

from __future__ import annotations

import concurrent.futures
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack, overload

from numpy.typing import ArrayLike

from engram.client.async_client import AsyncClient
from engram.client.batches.sending import Answered, observe_many_waiting, submit_many_waiting
from engram.client.naming.naming import BlockingNaming
from engram.client.sending.answer_future import AwaitedAnswer, answered_in_thread
from engram.client.sending.observe_session import ObserveSession
from engram.client.sending.pending_add import PendingAdd
from engram.client.sending.send_buffer import OutboxLimits
from engram.client.sending.stream_options import StreamOptions
from engram.client.snapshot import ClientSnapshot
from engram.client.threads.callback_thread import AnswerFuture
from engram.client.threads.loop_thread import LoopThread, wait
from engram.metrics.space_statistics import SpaceStatistics
from engram.model.ack import Ack
from engram.model.arguments import ManyObservations, OneObservation, one_or_many, take_observations
from engram.model.columns import ObservationColumns, ObservationFields
from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike
from engram.model.hit import Hits
from engram.model.observations import ObservationBatch
from engram.model.operations.conditions import ConditionalColumns, ConditionalFields, Expected
from engram.model.operations.results import Counted
from engram.model.operations.status import ServerStatus, SpaceStatus, UnsoundSpace
from engram.model.query import BATCH_DEFAULT, RESULTS_DEFAULT, RecallQuery, as_query
from engram.model.recall_options import (
    STREAM_COUNT_DEFAULT,
    RecallOptions,
    RecallStreamOptions,
    recall_query,
    stream_query,
)
from engram.model.spaces import DEFAULT_SPACE
from engram.model.times import Moment
from engram.model.values.keywords import accepts_old, spelled_out, warn_renamed
from engram.model.values.vector_rows import VectorsLike
from engram.model.waiting.timeouts import as_timeout_s
from engram.showing import ADDRESS_CHARACTERS_MAX, in_short


class Client(BlockingNaming):
    """A connection to an Engram server, for one memory space; safe to use from several threads.

    The parameters and the behaviour are those of `AsyncClient`, for code without an event loop. Futures are those of
    `concurrent.futures`. A callback of such a future runs on a thread of its own, one after the other with all others,
    and may call the client.

    Parameters
    ----------
    address, space, session_id, incarnation, priority, limits, options, timeout_s, metadata
        See `AsyncClient`.

    Examples
    --------
    >>> with Client("http://localhost:7432") as client:                     # doctest: +SKIP
    ...     ack = client.observe("id-1", vector, "text")              # durable and recallable
    ...     hits = client.recall(vector, k=10)
    ...     future = client.submit("id-2", vector, "text")            # returns at once
    ...     future.result().generation                                # durable and recallable from here on
    """

    def __init__(
        self,
        address: str = "http://localhost:7432",
        *,
        space: str = DEFAULT_SPACE,
        session_id: str = "",
        incarnation: str = "",
        priority: str = "normal",
        limits: OutboxLimits | None = None,
        options: StreamOptions | None = None,
        timeout_s: float = 10.0,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        thread = LoopThread.shared()
        client = AsyncClient(
            address,
            space=space,
            session_id=session_id,
            incarnation=incarnation,
            priority=priority,
            limits=limits,
            options=options,
            timeout_s=timeout_s,
            metadata=metadata,
        )
        super().__init__(thread, client)
        self._observing: ObserveSession | None = None
        self._process = os.getpid()
        self._timeout_s = self._client._calls.timeout_s

    def __repr__(self) -> str:
        return f"Client({in_short(self._client.address, ADDRESS_CHARACTERS_MAX)}, space={self.space!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def space(self) -> str:
        """Name of the memory space."""
        return self._client.space

    @property
    def name(self) -> str:
        """Name of the memory space, as a `Space` has it."""
        return self._client.space

    @property
    def address(self) -> str:
        """Address of the server."""
        return self._client.address

    @property
    def session_id(self) -> str:
        """Id of the session; before the session is open, the id that was passed to the client."""
        return self._client.session_id

    @property
    def incarnation(self) -> str:
        """Incarnation of the space. See `AsyncClient.incarnation`."""
        return self._client.incarnation

    @property
    def durable_sequence(self) -> int:
        """Last acknowledged sequence number of the session; 0 before the session is open."""
        return self._client.durable_sequence

    def connect(self) -> None:
        """Open the session now instead of with the first observation. Raises as `AsyncClient.connect`."""
        self._thread.run(self._client.connect())

    @overload
    def observe(
        self,
        id: str | None = None,
        vector: ArrayLike | None = None,
        content: str | None = "",
        **fields: Unpack[ConditionalFields],
    ) -> Ack: ...

    @overload
    def observe(
        self,
        ids: Sequence[str] | None = None,
        vectors: VectorsLike | None = None,
        contents: Sequence[str | None] | None = None,
        **columns: Unpack[ConditionalColumns],
    ) -> Ack: ...

    @one_or_many
    def observe(
        self, *arguments: Any, if_absent: bool = False, expected_generations: Expected = None, **keywords: Any
    ) -> Ack:
        """Store one observation or many; return when they are durable and recallable. See `AsyncClient.observe`."""
        observed = take_observations(arguments, keywords)
        if if_absent is not False or expected_generations is not None:
            return self._thread.run(self._client._observe_if(observed, if_absent, expected_generations))
        if isinstance(observed, ManyObservations):
            return observe_many_waiting(self._opened(), self._add, self._future, observed, self._timeout_s)
        future = self._future()
        awaited = AwaitedAnswer(future)
        self._add(awaited, observed)
        return answered_in_thread(awaited, future, self._timeout_s)

    @overload
    def submit(
        self,
        id: str | None = None,
        vector: ArrayLike | None = None,
        content: str | None = "",
        **fields: Unpack[ObservationFields],
    ) -> concurrent.futures.Future[Ack]: ...

    @overload
    def submit(
        self,
        ids: Sequence[str] | None = None,
        vectors: VectorsLike | None = None,
        contents: Sequence[str | None] | None = None,
        **columns: Unpack[ObservationColumns],
    ) -> concurrent.futures.Future[Ack]: ...

    @one_or_many
    def submit(self, *arguments: Any, **keywords: Any) -> concurrent.futures.Future[Ack]:
        """Send one observation or many; wait only while the buffer is full. See `AsyncClient.submit`."""
        observed = take_observations(arguments, keywords)
        future = self._future()
        if isinstance(observed, OneObservation):
            self._add(future, observed)
        else:
            submit_many_waiting(self._opened(), self._add, observed, future)
        return future

    def observe_batch(
        self,
        ids: Sequence[str],
        vectors: VectorsLike | None = None,
        contents: Sequence[str | None] | None = None,
        **columns: Unpack[ObservationColumns],
    ) -> concurrent.futures.Future[Ack]:
        """Send many observations. Deprecated: `submit` takes them now, and `observe` waits until they are stored."""
        warn_renamed("observe_batch", "submit")
        return self.submit(ids, vectors, contents, **columns)

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until all observations that were sent so far are answered. Raises as `AsyncClient.flush`.

        The callbacks of their futures have run then, if they do not take longer than `timeout_s` in turn.
        """
        callbacks_s = self._timeout_s if timeout_s is None else as_timeout_s(timeout_s)
        try:
            self._thread.run(self._client.flush(timeout_s))
        finally:
            self._thread.callbacks.finish(callbacks_s)

    @spelled_out(RecallOptions)
    def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[RecallOptions]) -> Hits:
        """Return the `k` observations that best match a vector, a text or a `Cue`. See `AsyncClient.recall`."""
        return self.answer(recall_query(cue, k, **options))

    def answer(self, query: RecallQuery) -> Hits:
        """Return the hits of `query`, as `recall` does."""
        return self._thread.run(self._client.answer(query))

    @accepts_old(max_results="k")
    @spelled_out(RecallStreamOptions)
    def recall_stream(
        self,
        cue: CueLike,
        k: int = STREAM_COUNT_DEFAULT,
        batch_size: int = BATCH_DEFAULT,
        **options: Unpack[RecallStreamOptions],
    ) -> Iterator[Hits]:
        """Yield hits in batches as they are found, all from one snapshot. See `AsyncClient.recall_stream`."""
        return self.open(stream_query(cue, k, batch_size, **options))

    @overload
    def open(self) -> None: ...

    @overload
    def open(self, query: RecallQuery) -> Iterator[Hits]: ...

    def open(self, query: RecallQuery | None = None) -> Iterator[Hits] | None:
        """Open a stream of the hits of `query`, as `recall_stream` does.

        Without a query, it opens the session, which is deprecated: this is called `connect` now.
        """
        if query is not None:
            return self._batches(as_query(query))
        warn_renamed("open()", "connect()")
        self.connect()
        return None

    def _batches(self, query: RecallQuery) -> Iterator[Hits]:
        return self._thread.iterated(self._client.open(query))

    def count(self, filter: FilterLike | None = None, max_generation: int | None = None) -> Counted:
        """Return how many observations pass a filter. See `AsyncClient.count`."""
        return self._thread.run(self._client.count(filter, max_generation))

    @accepts_old(time="snapshot_time")
    def snapshot(self, max_generation: int | None = None, *, snapshot_time: Moment | None = None) -> ClientSnapshot:
        """Return the space as it is now, or was at a generation or time. See `AsyncClient.snapshot`."""
        snapshot = self._thread.run(self._client.snapshot(max_generation, snapshot_time=snapshot_time))
        return ClientSnapshot(self, snapshot.generation)

    def spaces(self) -> list[SpaceStatus]:
        """List the spaces that can be used; `unsound_spaces` lists the others."""
        return self._thread.run(self._client.spaces())

    def unsound_spaces(self) -> list[UnsoundSpace]:
        """List the spaces that exist but could not be opened, with the reasons."""
        return self._thread.run(self._client.unsound_spaces())

    def space_status(self) -> SpaceStatus:
        """Return the settings and watermarks of this client's space. See `AsyncClient.space_status`."""
        return self._thread.run(self._client.space_status())

    def stats(self) -> SpaceStatistics:
        """Return statistics of this client's space. See `AsyncClient.stats`."""
        return self._thread.run(self._client.stats())

    def status(self) -> ServerStatus:
        """Return the server's version, counters, lanes, index workers and spaces, and the damage it has found."""
        return self._thread.run(self._client.status())

    def close(self, timeout_s: float | None = 30.0) -> None:
        """Send all observations, wait for the answers, and disconnect. See `AsyncClient.close`."""
        if os.getpid() == self._process:
            self._thread.run(self._client.close(timeout_s))
            self._thread.callbacks.finish(timeout_s)

    def _future(self) -> AnswerFuture:
        """Return the future of an observation, as soon as there is room for its callbacks."""
        self._thread.callbacks.wait_for_room(self._timeout_s)
        return AnswerFuture(self._thread.callbacks)

    def _add(self, future: Answered, observations: OneObservation | ObservationBatch) -> None:
        pending = self._opened().add(future, observations)
        if pending is not None:
            _add_when_room(pending, self._timeout_s)

    def _opened(self) -> ObserveSession:
        self._thread.check()
        if self._observing is None or self._observing.ended:
            self._observing = self._thread.run(self._client._opened())
        return self._observing


def _add_when_room(pending: PendingAdd, timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not pending.try_add():
        try:
            wait(pending.room(), max(0.0, deadline_s - time.monotonic()))
        except TimeoutError:
            raise pending.no_room(timeout_s) from None

"""The client for blocking code: an `AsyncClient` on a background thread."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from numpy.typing import ArrayLike

from engram.client.ack import Ack
from engram.client.async_client import AsyncClient
from engram.client.loop_thread import LoopThread, wait
from engram.client.sending.observe_session import ObserveSession, PendingAdd
from engram.client.sending.send_buffer import OutboxLimits
from engram.client.sending.stream_options import StreamOptions
from engram.client.status import ServerStatus, SpaceStatus, UnsoundSpace
from engram.errors import FailedPrecondition
from engram.model.cue import CueLike
from engram.model.hit import Hits
from engram.model.spaces import DEFAULT_SPACE, Metric
from engram.model.strength import Strength
from engram.model.times import Moment, Moments


class Client:
    """A connection to an Engram server, for one memory space; safe to use from several threads.

    The parameters and the behaviour are those of `AsyncClient`, for code without an event loop. Futures are those of
    `concurrent.futures`.

    Parameters
    ----------
    address, space, session_id, incarnation, priority, limits, options, timeout_s, metadata
        See `AsyncClient`.

    Examples
    --------
    >>> with Client("localhost:50051") as client:                     # doctest: +SKIP
    ...     future = client.observe("id-1", vector, "text")           # returns at once
    ...     future.result().generation                                # durable and recallable from here on
    ...     hits = client.recall(vector, k=10)
    """

    def __init__(
        self,
        address: str = "localhost:50051",
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
        self._thread = LoopThread.shared()
        self._client = AsyncClient(
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
        self._observing: ObserveSession | None = None
        self._process = os.getpid()
        self._timeout_s = timeout_s

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

    def open(self) -> None:
        """Open the session now instead of with the first observation. Raises as `AsyncClient.open`."""
        self._thread.run(self._client.open())

    def observe(
        self,
        id: str,
        vector: ArrayLike | None = None,
        content: str = "",
        *,
        timestamp: Moment | None = None,
        confidence: float = 1.0,
        importance: float = 0.5,
        metadata: Mapping[str, Any] | str | None = None,
        tags: Sequence[str] = (),
    ) -> concurrent.futures.Future[Ack]:
        """Send one observation; block only while the buffer is full. See `AsyncClient.observe`."""
        future: concurrent.futures.Future[Ack] = concurrent.futures.Future()
        offer = self._opened().offer_row(
            future,
            id,
            vector,
            content,
            timestamp=timestamp,
            confidence=confidence,
            importance=importance,
            metadata=metadata,
            tags=tags,
        )
        _hand_over(offer, self._timeout_s)
        return future

    def observe_batch(
        self,
        ids: Sequence[str],
        vectors: ArrayLike | None = None,
        contents: Sequence[str] | None = None,
        *,
        timestamps: Moments | None = None,
        confidences: ArrayLike | None = None,
        importances: ArrayLike | None = None,
        metadata: Sequence[Mapping[str, Any] | str | None] | None = None,
        tags: Sequence[Sequence[str]] | None = None,
    ) -> concurrent.futures.Future[Ack]:
        """Send up to 10 000 observations, stored as a whole or not at all. See `AsyncClient.observe_batch`."""
        future: concurrent.futures.Future[Ack] = concurrent.futures.Future()
        offer = self._opened().offer_batch(
            future,
            ids,
            vectors,
            contents=contents,
            timestamps=timestamps,
            confidences=confidences,
            importances=importances,
            metadata=metadata,
            tags=tags,
        )
        _hand_over(offer, self._timeout_s)
        return future

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until all observations that were sent so far are answered. Raises as `AsyncClient.flush`."""
        self._thread.run(self._client.flush(timeout_s))

    def recall(
        self,
        cue: CueLike,
        k: int = 10,
        *,
        max_generation: int | None = None,
        snapshot_time: Moment | None = None,
        ef: int | None = None,
        strength: Strength | None = None,
        include_vectors: bool = False,
        skip_damaged: bool = False,
    ) -> Hits:
        """Return the `k` observations that best match a vector, a text or a `Cue`. See `AsyncClient.recall`."""
        return self._thread.run(
            self._client.recall(
                cue,
                k,
                max_generation=max_generation,
                snapshot_time=snapshot_time,
                ef=ef,
                strength=strength,
                include_vectors=include_vectors,
                skip_damaged=skip_damaged,
            )
        )

    def recall_stream(
        self,
        cue: CueLike,
        max_results: int = 100,
        batch_size: int = 10,
        *,
        max_generation: int | None = None,
        snapshot_time: Moment | None = None,
        ef: int | None = None,
        include_recent: bool = False,
        follow: bool = False,
        strength: Strength | None = None,
        timeout_ms: int | None = None,
        include_vectors: bool = False,
        skip_damaged: bool = False,
    ) -> Iterator[Hits]:
        """Yield hits in batches as they are found, all from one snapshot. See `AsyncClient.recall_stream`."""
        batches = self._client.recall_stream(
            cue,
            max_results,
            batch_size,
            max_generation=max_generation,
            snapshot_time=snapshot_time,
            ef=ef,
            include_recent=include_recent,
            follow=follow,
            strength=strength,
            timeout_ms=timeout_ms,
            include_vectors=include_vectors,
            skip_damaged=skip_damaged,
        )

        async def following() -> Hits | None:
            return await anext(batches, None)

        try:
            while (hits := self._thread.run(following())) is not None:
                yield hits
        finally:
            # At the end of the interpreter, and in a child that was forked meanwhile, there is nothing left to close.
            with contextlib.suppress(FailedPrecondition):
                self._thread.run(batches.aclose())

    def forget(self, ids: Sequence[str]) -> int:
        """Delete observations by id; return how many existed. Unknown ids are ignored."""
        return self._thread.run(self._client.forget(ids))

    def create_space(
        self, name: str, dim: int | None = None, metric: Metric = "cosine", embedder: str = ""
    ) -> SpaceStatus:
        """Create a space, or return the existing one with the same settings. See `AsyncClient.create_space`."""
        return self._thread.run(self._client.create_space(name, dim, metric, embedder))

    def spaces(self) -> list[SpaceStatus]:
        """List the spaces that can be used; `unsound_spaces` lists the others."""
        return self._thread.run(self._client.spaces())

    def unsound_spaces(self) -> list[UnsoundSpace]:
        """List the spaces that exist but could not be opened, with the reasons."""
        return self._thread.run(self._client.unsound_spaces())

    def space_status(self) -> SpaceStatus:
        """Return the settings and watermarks of this client's space. See `AsyncClient.space_status`."""
        return self._thread.run(self._client.space_status())

    def status(self) -> ServerStatus:
        """Return the server's version, counters, lanes, index workers and spaces, and the damage it has found."""
        return self._thread.run(self._client.status())

    def close(self, timeout_s: float | None = 30.0) -> None:
        """Send all observations, wait for the answers, and disconnect. See `AsyncClient.close`."""
        if os.getpid() == self._process:
            self._thread.run(self._client.close(timeout_s))

    def _opened(self) -> ObserveSession:
        self._thread.check()
        if self._observing is None or self._observing.ended:
            self._observing = self._thread.run(self._client.observing())
        return self._observing


def _hand_over(offer: PendingAdd, timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not offer.try_add():
        try:
            wait(offer.room(), max(0.0, deadline_s - time.monotonic()))
        except TimeoutError:
            raise offer.no_room(timeout_s) from None

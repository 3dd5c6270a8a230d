"""The client for coroutines; `Client` runs this one on a thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from numpy.typing import ArrayLike

from engram.client.ack import Ack
from engram.client.async_reader import AsyncReader
from engram.client.calls import Calls
from engram.client.grpc_transport import GrpcTransport
from engram.client.observing import Observing, Offer
from engram.client.outbox import OutboxLimits
from engram.client.requests import encode_batch_field
from engram.client.stream_options import StreamOptions
from engram.errors import FailedPrecondition, InvalidInput, Unavailable
from engram.observations import ObservationBatch
from engram.scalars import as_text
from engram.spaces import DEFAULT_SPACE
from engram.store.intake import Priority
from engram.times import Moment, Moments

_log = logging.getLogger(__name__)


class AsyncClient(AsyncReader):
    """A connection to an Engram server, for one memory space.

    Observations are grouped into batches and answered through futures; broken connections and restarted servers are
    ridden out without loss or duplicates, because every observation has a sequence number in a session that the
    server remembers. Nothing connects before the first call.

    Parameters
    ----------
    address
        ``host:port`` of the server's gRPC endpoint.
    space
        Name of the memory space.
    session_id
        A name for the stream of observations, to continue it in a later process: `durable_sequence` then tells how
        many observations the server has of it. Empty for a new session.
    priority
        Lane of the observations: ``"high"``, ``"normal"`` or ``"low"``.
    limits, options
        Bounds on buffers, grouping and waiting.
    timeout_s
        How long a recall and any other single call may take, retries included.

    Examples
    --------
    >>> async with AsyncClient("localhost:50051") as client:          # doctest: +SKIP
    ...     future = await client.observe("id-1", vector, "text")     # waits only if the buffer is full
    ...     ack = await future                                        # durable and recallable
    ...     hits = await client.recall(vector, k=10)
    """

    def __init__(
        self,
        address: str = "localhost:50051",
        *,
        space: str = DEFAULT_SPACE,
        session_id: str = "",
        priority: str = "normal",
        limits: OutboxLimits | None = None,
        options: StreamOptions | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        super().__init__(Calls(address, timeout_s), space)
        self._priority = _check_priority(priority)
        self._session_id = as_text("session_id", session_id, code="invalid_session_id")
        self._limits = limits or OutboxLimits()
        self._options = options or StreamOptions()
        self._opening = asyncio.Lock()
        self._observing: Observing | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Open the session now instead of with the first observation.

        Raises
        ------
        NotFound
            The space does not exist.
        Unavailable
            The server cannot be reached.
        """
        await (await self.observing()).stream.connected()

    @property
    def session_id(self) -> str:
        """Id of the session; empty until it is open."""
        return self._observing.stream.session_id if self._observing is not None else self._session_id

    @property
    def durable_sequence(self) -> int:
        """Last sequence number of the session that is acknowledged; 0 until it is open."""
        return self._observing.stream.durable_sequence if self._observing is not None else 0

    async def observe(
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
    ) -> asyncio.Future[Ack]:
        """Observe one thing; waits only while the buffer is full.

        Parameters
        ----------
        id
            The same id again supersedes the earlier observation.
        vector
            float32-like, shape ``(dim,)``; None to have the space's embedder make it of `content`.
        content
            The text that is recalled with it.
        timestamp
            Seconds since 1970, a datetime (UTC if it has no zone) or another `Moment`; default now.
        confidence, importance
            In [0, 1].
        metadata
            A mapping, or a JSON object as text.
        tags
            Up to 64 short labels.

        Returns
        -------
        A future of the `Ack`, done when the observation is durable and recallable. It fails with a typed error, such
        as `InvalidInput`, if the observation is refused.

        Raises
        ------
        InvalidInput
            The vector's shape does not fit the space, or a value cannot be converted.
        NotFound
            The space does not exist.
        Unavailable
            The server cannot be reached.
        """
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        observing = await self.observing()
        await self._hand_over(
            observing.offer_row(
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
        )
        return future

    async def observe_batch(
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
    ) -> asyncio.Future[Ack]:
        """Observe up to 10 000 things at once, stored as a whole or not at all; the fast way for many.

        Parameters
        ----------
        vectors
            Shape ``(n, dim)``; None to have the space's embedder make them of `contents`.
        ids and all others
            One entry per observation; see `observe`.

        Returns
        -------
        A future of one `Ack` with the range of generations.

        Raises
        ------
        InvalidInput
            Naming the field, the position, the limit and the value; nothing of the batch is sent.
        NotFound, Unavailable
            As in `observe`.
        """
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        observing = await self.observing()
        await self._hand_over(
            observing.offer_batch(
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
        )
        return future

    async def flush(self, timeout_s: float | None = None) -> None:
        """Wait until everything observed so far is answered.

        Raises
        ------
        EngramError
            The first refusal since the last flush, for callers who do not look at the futures.
        Unavailable
            Code ``flush_timeout``: not everything was answered in time. It is still being sent.
        """
        observing = self._observing
        if observing is None:
            return
        try:
            await asyncio.wait_for(asyncio.wrap_future(observing.outbox.flushed()), timeout_s)
        except TimeoutError:
            raise Unavailable(
                f"{observing.outbox.count} observations were not answered within {timeout_s:g} s",
                code="flush_timeout",
                field="timeout_s",
                limit=timeout_s,
                value=observing.outbox.count,
            ) from None
        error = observing.outbox.take_error()
        if error is not None:
            raise error

    async def close(self, timeout_s: float | None = 30.0) -> None:
        """Send and await everything observed, then disconnect; after `timeout_s` give up on what is left.

        What was refused or given up and not reported by `flush` is logged as a warning.
        """
        self._closed = True
        if self._observing is not None:
            await self._observing.drain(timeout_s)
            error = self._observing.outbox.take_error()
            if error is not None:
                _log.warning("observations to space %s were not stored: %s", self.space, error)
        await self._calls.close()

    async def observing(self) -> Observing:
        """The open session, opened if need be; for this package only."""
        if self._closed:
            raise FailedPrecondition("the client is closed", code="client_closed")
        if self._observing is not None and not self._observing.ended:
            return self._observing
        async with self._opening:
            if self._observing is None or self._observing.ended:
                config = (await self.space_status()).config
                transport = GrpcTransport(self._calls.channel, self.space)
                self._observing = Observing(
                    transport,
                    config,
                    self._encode,
                    limits=self._limits,
                    options=self._options,
                    session_id=self._session_id,
                )
        return self._observing

    def _encode(self, batch: ObservationBatch) -> bytes:
        return encode_batch_field(batch, self._priority)

    @staticmethod
    async def _hand_over(offer: Offer) -> None:
        while not offer.try_add():
            await asyncio.wrap_future(offer.room())


def _check_priority(name: str) -> Priority:
    names = [priority.name.lower() for priority in Priority]
    if name in names:
        return Priority[name.upper()]
    known = ", ".join(names)
    raise InvalidInput(
        f"priority {name!r} is not one of {known}", code="invalid_priority", field="priority", limit=known, value=name
    )

"""The client for coroutines; `Client` runs this one on a thread."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from numpy.typing import ArrayLike

from engram.client.ack import Ack
from engram.client.async_reader import AsyncReader
from engram.client.grpc.batch_encoding import encode_batch_field
from engram.client.grpc.channel import GrpcChannel
from engram.client.grpc.observe_transport import GrpcTransport
from engram.client.sending.observe_session import ObserveSession, PendingAdd
from engram.client.sending.send_buffer import OutboxLimits
from engram.client.sending.stream_options import StreamOptions
from engram.errors import FailedPrecondition, InvalidInput
from engram.model.priority import Priority
from engram.model.scalars import as_text
from engram.model.spaces import DEFAULT_SPACE
from engram.model.times import Moment, Moments


class AsyncClient(AsyncReader):
    """A connection to an Engram server, for one memory space.

    Observations are grouped into batches and answered through futures; broken connections and restarted servers are
    ridden out without loss or duplicates, because every observation has a sequence number in a session that the
    server remembers. Nothing connects before the first call.

    Parameters
    ----------
    address
        ``host:port``, ``[ipv6]:port`` or ``unix:path`` of the server's gRPC endpoint. A server on this machine is never
        looked for through a proxy.
    space
        Name of the memory space.
    session_id
        A name for the stream of observations, to continue it in a later process: `durable_sequence` then tells how
        many observations the server has of it. Empty for a new session. Two clients must not have one at a time: the
        newer wins, the older fails with `session_taken_over`.
    incarnation
        With `session_id`: what `incarnation` was when the session was last open, to be refused (`other_incarnation`) if
        the space has been restored, repaired or made anew since.
    priority
        Lane of the observations: ``"high"``, ``"normal"`` or ``"low"``.
    limits, options
        Bounds on buffers, grouping and waiting.
    timeout_s
        How long any single call may take, retries included: it ends by then, with an error at the latest. `flush` may
        take longer as long as there are answers, and `close` has a limit of its own.

    A client that is not closed sends what it holds when nobody holds it any more, when its event loop ends, or when the
    interpreter does. What cannot be sent within some seconds then is named in one line on stderr.

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
        incarnation: str = "",
        priority: str = "normal",
        limits: OutboxLimits | None = None,
        options: StreamOptions | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        super().__init__(GrpcChannel(address, timeout_s), space)
        self._priority = _check_priority(priority)
        self._session_id = as_text("session_id", session_id, code="invalid_session_id")
        self._incarnation = as_text("incarnation", incarnation, code="invalid_incarnation")
        self._limits = limits or OutboxLimits()
        self._options = options or StreamOptions()
        self._opening = asyncio.Lock()
        self._observing: ObserveSession | None = None
        self._closed = False
        self._process = os.getpid()

    def __del__(self) -> None:
        observing = getattr(self, "_observing", None)
        if observing is not None and not self._closed and os.getpid() == self._process:
            observing.let_go()

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
        FailedPrecondition
            Another client has taken the session over (``session_taken_over``), or the space has lost what was
            acknowledged in it (``lost_future``, ``other_incarnation``).
        Unavailable
            The server cannot be reached.
        """
        async with self._calls.within("opening the session"):
            await (await self.observing()).stream.connected()

    @property
    def session_id(self) -> str:
        """Id of the session; empty until it is open."""
        return self._observing.stream.session_id if self._observing is not None else self._session_id

    @property
    def incarnation(self) -> str:
        """Which past the space has, as the server told it; to be kept with the session's id. Empty until it is open."""
        return self._observing.stream.incarnation if self._observing is not None else self._incarnation

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
        FailedPrecondition
            As in `open`.
        Unavailable
            The server cannot be reached.
        OverCapacity
            Code ``buffer_full``: too much is unanswered, and that did not change in time. Nothing was taken.
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
        NotFound, FailedPrecondition, Unavailable, OverCapacity
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

        Parameters
        ----------
        timeout_s
            For how long; None as long as there is an answer within the client's `timeout_s`, again and again.

        Raises
        ------
        EngramError
            The first refusal since the last flush, for callers who do not look at the futures.
        Unavailable
            Code ``flush_timeout``: not everything was answered in time. It is still being sent.
        """
        self._calls.check()
        observing = self._observing
        if observing is None:
            return
        await observing.flush(timeout_s, self._calls.timeout_s)
        error = observing.outbox.take_error()
        if error is not None:
            raise error

    async def close(self, timeout_s: float | None = 30.0) -> None:
        """Send and await everything observed, then disconnect; after `timeout_s` give up on what is left.

        What was refused or given up and not reported by `flush` is logged as a warning. In a forked child it does
        nothing.
        """
        if os.getpid() != self._process:
            return
        self._closed = True
        if self._observing is not None:
            await self._observing.drain(timeout_s)
            self._observing.warn()
        await self._calls.close()

    async def observing(self) -> ObserveSession:
        """The open session, opened if need be; for this package only."""
        self._calls.check()
        if self._closed:
            raise FailedPrecondition("the client is closed", code="client_closed")
        if self._observing is not None and not self._observing.ended:
            return self._observing
        async with self._calls.within("opening the session"), self._opening:
            if self._observing is not None:
                self._observing.check_may_begin_anew()
            if self._observing is None or self._observing.ended:
                config = (await self.space_status()).config
                self._observing = ObserveSession(
                    GrpcTransport(self._calls.channel, self._calls.address, self.space),
                    config,
                    # Neither of these holds the client itself, whose end is the session's.
                    functools.partial(encode_batch_field, priority=self._priority),
                    reopen=functools.partial(_reopen, self._calls.address.target, self._calls.timeout_s, self.space),
                    limits=self._limits,
                    options=self._options,
                    session_id=self._session_id,
                    incarnation=self._incarnation,
                )
                # A task that has not begun could not tell that it is cancelled.
                await asyncio.sleep(0)
        return self._observing

    async def _hand_over(self, offer: PendingAdd) -> None:
        deadline_s = asyncio.get_running_loop().time() + self._calls.timeout_s
        while not offer.try_add():
            try:
                async with asyncio.timeout_at(deadline_s):
                    await asyncio.wrap_future(offer.room())
            except TimeoutError:
                raise offer.no_room(self._calls.timeout_s) from None


def _reopen(address: str, timeout_s: float, space: str) -> tuple[GrpcTransport, Callable[[], Awaitable[None]]]:
    calls = GrpcChannel(address, timeout_s)
    return GrpcTransport(calls.channel, calls.address, space), calls.close


def _check_priority(name: str) -> Priority:
    names = [priority.name.lower() for priority in Priority]
    if name in names:
        return Priority[name.upper()]
    known = ", ".join(names)
    raise InvalidInput(
        f"priority {name!r} is not one of {known}", code="invalid_priority", field="priority", limit=known, value=name
    )

"""The client for coroutines; `Client` runs an `AsyncClient` on a background thread."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack, overload

from numpy.typing import ArrayLike

from engram.client.async_reader import AsyncReader
from engram.client.batches.sending import Answered, observe_many, submit_many
from engram.client.calls import Calls
from engram.client.sending.answer_future import AwaitedAnswer, answered
from engram.client.sending.loop_turn import LoopTurn
from engram.client.sending.observe_session import ObserveSession
from engram.client.sending.send_buffer import OutboxLimits
from engram.client.sending.session_settings import SessionSettings
from engram.client.sending.stream_options import StreamOptions
from engram.client.transport_choice import choose_transport
from engram.model.ack import Ack
from engram.model.arguments import ManyObservations, OneObservation, one_or_many, take_observations
from engram.model.columns import ObservationColumns, ObservationFields
from engram.model.hit import Hits
from engram.model.observations import ObservationBatch
from engram.model.operations.conditions import ConditionalColumns, ConditionalFields, Expected
from engram.model.query import RecallQuery, as_query
from engram.model.spaces import DEFAULT_SPACE
from engram.model.values.keywords import warn_renamed
from engram.model.values.vector_rows import VectorsLike
from engram.model.waiting.timeouts import as_timeout_s_or_none
from engram.showing import ADDRESS_CHARACTERS_MAX, in_short


class AsyncClient(AsyncReader):
    """A connection to an Engram server, for one memory space.

    The client sends observations in batches; `observe` waits for the answer, and `submit` returns a future of it. Every
    observation has a sequence number in a session that the server remembers. Therefore a broken connection or a restart
    of the server causes neither loss nor duplicates. The client connects at the first call. It uses one event loop.

    A client that is not closed sends the observations it holds when the client is garbage-collected, when its event
    loop ends, or when the interpreter ends. Observations that cannot be sent within some seconds are then reported in
    one line on stderr.

    Parameters
    ----------
    address
        ``host:port``, ``[ipv6]:port`` or ``unix:path`` of the server's gRPC endpoint, or ``ws://host:port`` of its HTTP
        endpoint (also ``http://``, ``wss://``, ``https://``). A server on this machine is never reached by a proxy.
    space
        Name of the memory space.
    session_id
        Id of the session, to resume it in a later process; empty for a new session. After a resume, `durable_sequence`
        is the number of its observations that the server has. Only one client may use a session at a time: the newer
        one wins, and the older one fails with code ``session_taken_over``.
    incarnation
        Value of `incarnation` when the session `session_id` was last open. If the space has been restored, repaired or
        created again since, the session is refused with code ``other_incarnation``.
    priority
        Lane of the observations: ``"high"``, ``"normal"`` or ``"low"``.
    limits, options
        Bounds on buffering and micro-batching, and on sending and waiting.
    timeout_s
        Seconds that a single call may take, retries included, at most 86 400; a call that takes longer fails. `flush`
        may take longer while answers arrive, and `close` has its own limit.
    metadata
        Sent with each call, for the `Authorizer` of the server, such as ``{"authorization": "Bearer ..."}``. It is not
        encrypted. The metadata of observations are another thing.

    Raises
    ------
    InvalidInput
        If an argument has the wrong type, or is out of range.

    Examples
    --------
    >>> async with AsyncClient("http://localhost:7432") as client:          # doctest: +SKIP
    ...     ack = await client.observe("id-1", vector, "text")        # durable and recallable
    ...     hits = await client.recall(vector, k=10)
    ...     future = await client.submit("id-2", vector, "text")      # waits only if the buffer is full
    ...     ack = await future
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
        super().__init__(Calls(choose_transport(address, metadata), timeout_s), space)
        self._reopen = functools.partial(choose_transport, address, metadata)
        self._settings = SessionSettings.of(session_id, incarnation, priority, limits, options)
        self._priority = self._settings.priority
        self._opening = LoopTurn()
        self._observing: ObserveSession | None = None
        self._process = os.getpid()

    def __del__(self) -> None:
        observing = getattr(self, "_observing", None)
        if observing is not None and not self._calls.is_closed and os.getpid() == self._process:
            observing.let_go()

    def __repr__(self) -> str:
        return f"AsyncClient({in_short(self.address, ADDRESS_CHARACTERS_MAX)}, space={self.space!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the session now instead of with the first observation.

        Raises
        ------
        NotFound
            If the space does not exist.
        FailedPrecondition
            If another client has taken over the session (``session_taken_over``), or the space no longer has what was
            acknowledged in the session (``lost_future``, ``other_incarnation``).
        Unavailable
            If the server cannot be reached.
        """
        async with self._calls.within("opening the session"):
            await (await self._opened()).stream.connected()

    @overload
    def open(self) -> Awaitable[None]: ...

    @overload
    def open(self, query: RecallQuery) -> AsyncGenerator[Hits, None]: ...

    def open(self, query: RecallQuery | None = None) -> Awaitable[None] | AsyncGenerator[Hits, None]:
        """Open a stream of the hits of `query`, as `recall_stream` does.

        Without a query, it opens the session, which is deprecated: this is called `connect` now.
        """
        if query is not None:
            return self._batches(as_query(query))
        warn_renamed("open()", "connect()")
        return self.connect()

    @property
    def session_id(self) -> str:
        """Id of the session; before the session is open, the id that was passed to the client."""
        return self._observing.stream.session_id if self._observing is not None else self._settings.session_id

    @property
    def incarnation(self) -> str:
        """Incarnation of the space, as reported by the server; keep it together with the id of the session.

        Before the session is open, this is the incarnation that was passed to the client.
        """
        return self._observing.stream.incarnation if self._observing is not None else self._settings.incarnation

    @property
    def durable_sequence(self) -> int:
        """Last acknowledged sequence number of the session; 0 before the session is open."""
        return self._observing.stream.durable_sequence if self._observing is not None else 0

    @overload
    async def observe(
        self,
        id: str | None = None,
        vector: ArrayLike | None = None,
        content: str | None = "",
        **fields: Unpack[ConditionalFields],
    ) -> Ack: ...

    @overload
    async def observe(
        self,
        ids: Sequence[str] | None = None,
        vectors: VectorsLike | None = None,
        contents: Sequence[str | None] | None = None,
        **columns: Unpack[ConditionalColumns],
    ) -> Ack: ...

    @one_or_many
    async def observe(
        self, *arguments: Any, if_absent: bool = False, expected_generations: Expected = None, **keywords: Any
    ) -> Ack:
        """Store one observation or many; when this returns, they are durable and recallable.

        The arguments and the answer are those of `Space.observe`. Use `submit` to send many without waiting for each.
        With a condition, this is a call of its own: what was submitted before and is not answered yet may be stored
        after it.

        Raises
        ------
        InvalidInput
            If a vector does not have the dimension of the space, or another value is refused; the error names the
            field, the row, the limit and the value. Nothing was stored.
        EngramError
            If a part of very many fails, `stored_count` says how many, from the first on, are stored all the same.
        NotFound
            If the space does not exist.
        FailedPrecondition
            As in `connect`; with code ``condition_failed``, if a condition does not hold.
        Unavailable
            If the server cannot be reached; with code ``observe_timeout``, if there is no answer within `timeout_s`:
            the observations are still being sent, and may be stored later.
        OverCapacity
            With code ``buffer_full``, if the buffer is still full after `timeout_s`. Nothing was taken.
        """
        observed = take_observations(arguments, keywords)
        if if_absent is not False or expected_generations is not None:
            return await self._observe_if(observed, if_absent, expected_generations)
        if isinstance(observed, ManyObservations):
            session = self._current() or await self._opened()
            return await observe_many(session, self._add, observed, self._calls.timeout_s)
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        awaited = AwaitedAnswer(future)
        await self._add(awaited, observed)
        return await answered(awaited, future, self._calls.timeout_s)

    @overload
    async def submit(
        self,
        id: str | None = None,
        vector: ArrayLike | None = None,
        content: str | None = "",
        **fields: Unpack[ObservationFields],
    ) -> asyncio.Future[Ack]: ...

    @overload
    async def submit(
        self,
        ids: Sequence[str] | None = None,
        vectors: VectorsLike | None = None,
        contents: Sequence[str | None] | None = None,
        **columns: Unpack[ObservationColumns],
    ) -> asyncio.Future[Ack]: ...

    @one_or_many
    async def submit(self, *arguments: Any, **keywords: Any) -> asyncio.Future[Ack]:
        """Send one observation or many; wait only while the buffer is full.

        The arguments are those of `observe`. Single observations are sent together in batches, and very many in parts.

        Returns
        -------
        asyncio.Future[Ack]
            Done when the observations are durable and recallable. It fails with a typed error, such as `InvalidInput`,
            if they are refused.

        Raises
        ------
        InvalidInput, NotFound, FailedPrecondition, Unavailable, OverCapacity
            As in `observe`.
        """
        observed = take_observations(arguments, keywords)
        session = self._current() or await self._opened()
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        if not isinstance(observed, OneObservation):
            await submit_many(session, self._add, observed, future)
        # What a stream does for every observation is one coroutine.
        elif (pending := session.add(future, observed)) is not None:
            await pending.add_when_room(self._calls.timeout_s)
        return future

    async def observe_batch(
        self,
        ids: Sequence[str],
        vectors: VectorsLike | None = None,
        contents: Sequence[str | None] | None = None,
        **columns: Unpack[ObservationColumns],
    ) -> asyncio.Future[Ack]:
        """Send many observations. Deprecated: `submit` takes them now, and `observe` waits until they are stored."""
        warn_renamed("observe_batch", "submit")
        return await self.submit(ids, vectors, contents, **columns)

    async def _add(self, future: Answered, observations: OneObservation | ObservationBatch) -> None:
        pending = (self._current() or await self._opened()).add(future, observations)
        if pending is not None:
            await pending.add_when_room(self._calls.timeout_s)

    async def flush(self, timeout_s: float | None = None) -> None:
        """Wait until all observations that were sent so far are answered.

        Parameters
        ----------
        timeout_s
            Seconds to wait in all. None: until no answer has arrived for the `timeout_s` of the client.

        Raises
        ------
        EngramError
            The first refusal since the last flush, for callers that do not look at the futures. What an `observe` has
            raised is not raised again.
        Unavailable
            With code ``flush_timeout``, if not everything is answered in time; the client still sends the rest.
        """
        self._calls.check()
        timeout_s = as_timeout_s_or_none(timeout_s)
        if self._observing is not None:
            await self._observing.flush(timeout_s, self._calls.timeout_s)

    async def close(self, timeout_s: float | None = 30.0) -> None:
        """Send all observations, wait for the answers, and disconnect; after `timeout_s` seconds, give up on the rest.

        Observations that were refused or given up, and that neither `observe` nor `flush` has told of, are logged as a
        warning. Calls that still run then fail with ``client_closed``, as do later ones. In a forked child this does
        nothing.
        """
        timeout_s = as_timeout_s_or_none(timeout_s)
        if os.getpid() != self._process:
            return
        self._calls.refuse()
        if self._observing is not None:
            await self._observing.drain(timeout_s)
            self._observing.warn()
        await self._calls.close()

    def _current(self) -> ObserveSession | None:
        """Return the session if it is open."""
        self._calls.check()
        observing = self._observing
        return None if observing is None or observing.ended else observing.here()

    async def _opened(self) -> ObserveSession:
        """Return the session, and open it if necessary."""
        current = self._current()
        if current is not None:
            return current
        async with self._calls.within("opening the session"), self._opening.taken():
            if self._observing is not None:
                self._observing.check_may_begin_anew()
            if self._observing is None or self._observing.ended:
                config = (await self.space_status()).config
                self._calls.check()
                # This must not reference the client: the session ends when the client is garbage-collected.
                self._observing = self._settings.session(self._calls.transport, config, self.incarnation, self._reopen)
                # Let the new task of the session start. A task that has not started cannot handle its cancellation.
                await asyncio.sleep(0)
        return self._observing

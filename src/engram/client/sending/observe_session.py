"""One open session of a client, and the calls that add observations to it; shared by `AsyncClient` and `Client`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import copy
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from engram.client.losses import NAMED_MAX
from engram.client.sending.answer_future import AnyFuture, AwaitedAnswer, settle_future, settle_with_ids
from engram.client.sending.loop_wakeup import LoopWakeup
from engram.client.sending.micro_batch import Settle, make_row
from engram.client.sending.observe_stream import ObserveStream
from engram.client.sending.outgoing_batch import OutgoingBatch, origin_here
from engram.client.sending.pending_add import PendingAdd
from engram.client.sending.send_buffer import OutboxLimits, SendBuffer
from engram.client.sending.stream_options import StreamOptions
from engram.client.silence import silence
from engram.client.transport import ObserveTransport
from engram.client.transport_choice import prepare_loop
from engram.errors import FailedPrecondition, Unavailable
from engram.lifecycle import interpreter_exit
from engram.model.arguments import OneObservation
from engram.model.observation_row import ObservationRow
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig
from engram.text.embeddable import check_embeddable

_log = logging.getLogger(__name__)
_LASTING_CODES: Final = frozenset(
    {"session_taken_over", "lost_future", "other_incarnation", "space_dropped", "space_renamed"}
)

Reopen = Callable[[], ObserveTransport]

_HANG_S: Final = 1.0
# Made once: a union made for each observation costs more than looking into it.
_FUTURES: Final = (asyncio.Future, concurrent.futures.Future)


class ObserveSession:
    """A session of one client with one space: the buffer, the stream, and the task that runs the stream.

    Create it on the event loop; any thread may call `add`. A session that is open when the interpreter ends is drained
    then: on its event loop if that still runs, otherwise over a new connection on another event loop.

    Parameters
    ----------
    transport
        Opens connections on the running event loop.
    config, encode, options, session_id, incarnation
        See `ObserveStream`.
    limits
        See `SendBuffer`.
    reopen
        Makes a transport for another event loop; None if this is not possible.
    """

    def __init__(
        self,
        transport: ObserveTransport,
        config: SpaceConfig,
        encode: Callable[[ObservationBatch], Any],
        *,
        limits: OutboxLimits,
        options: StreamOptions,
        session_id: str = "",
        incarnation: str = "",
        reopen: Reopen | None = None,
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        wakeup = LoopWakeup()
        self.config = config
        self.outbox: SendBuffer = SendBuffer(limits, wakeup.wake, loop.time)
        self._reopen = reopen
        self._options = options
        self.stream: ObserveStream = ObserveStream(
            transport,
            self.outbox,
            wakeup,
            config,
            encode,
            options=options,
            session_id=session_id,
            incarnation=incarnation,
        )
        self._encode = encode
        self.task: asyncio.Task[None] = loop.create_task(self.stream.run(), name=f"engram-observe-{config.name}")
        self._ending = interpreter_exit.opened(self, f"the client of space {config.name}", keep=True)
        self.task.add_done_callback(self._ended)

    @property
    def ended(self) -> bool:
        """Whether the session has ended and takes no more observations."""
        return self.task.done()

    def here(self) -> ObserveSession:
        """Return the session, if it is that of the running event loop.

        Raises
        ------
        FailedPrecondition
            With code ``other_event_loop``, if it is that of another one, which alone can tell its callers of answers.
        """
        if asyncio.get_running_loop() is self._loop:
            return self
        raise FailedPrecondition(
            "the session of this client is on another event loop; make a client for each event loop, and close each "
            "where it was used",
            code="other_event_loop",
            field="event loop",
            limit="that of the session",
            value="another one",
        )

    def check_may_begin_anew(self) -> None:
        """Check that the client may open a new session after this one.

        Raises
        ------
        FailedPrecondition
            If the session was taken over, or observations that were acknowledged in it are lost, or its space was
            dropped or renamed. A new session would take the session back from the other client, or hide the loss.
        """
        error = self.stream.failure
        if self.ended and isinstance(error, FailedPrecondition) and error.code in _LASTING_CODES:
            raise copy.copy(error)

    def add(
        self, future: AnyFuture | AwaitedAnswer | Settle, observations: OneObservation | ObservationBatch
    ) -> PendingAdd | None:
        """Add observations, which are answered through `future`; if there is no room, return how to wait for it.

        Raises
        ------
        InvalidInput
            As `make_row` and `check_embeddable`.
        """
        if isinstance(observations, OneObservation):
            row, settle = make_row(self.config, observations), self._settle(future, 1, (observations.id,))
            if observations.is_made:
                settle = settle_with_ids(settle, observations.made_ids)
            return None if self.outbox.try_add_row(row, settle) else self._pending(row, settle)
        offer = self._offer(future, observations)
        return None if offer.try_add() else offer

    def _offer(self, future: AnyFuture | AwaitedAnswer | Settle, batch: ObservationBatch) -> PendingAdd:
        check_embeddable(batch, self.config)
        count, nbytes, first_ids = len(batch), batch.nbytes, tuple(batch.ids[:NAMED_MAX])
        settle = self._settle(future, count, first_ids)
        outgoing = OutgoingBatch(self._encode(batch), count, nbytes, settle, first_ids=first_ids, origin=origin_here())
        return PendingAdd(
            lambda: self.outbox.try_add_batch(outgoing), lambda: self.outbox.room(count, nbytes), self._held
        )

    def _settle(self, future: AnyFuture | AwaitedAnswer | Settle, count: int, first_ids: Sequence[str]) -> Settle:
        if isinstance(future, AwaitedAnswer):
            return future.settle(lambda: self.outbox.told(count, first_ids))
        if isinstance(future, _FUTURES):
            return settle_future(future)
        return future

    def _pending(self, row: ObservationRow, settle: Settle) -> PendingAdd:
        return PendingAdd(
            lambda: self.outbox.try_add_row(row, settle), lambda: self.outbox.room(1, row.nbytes), self._held
        )

    def _held(self) -> int:
        return self.outbox.count

    async def flush(self, timeout_s: float | None, silence_s: float) -> None:
        """Wait until everything added so far is answered.

        Parameters
        ----------
        timeout_s
            Seconds to wait in all; None to wait as long as there are answers.
        silence_s
            If `timeout_s` is None: seconds without an answer after which the wait fails.

        Raises
        ------
        EngramError
            The first refusal since the last flush that no `observe` has told of.
        Unavailable
            With code ``flush_timeout``, if the time is over.
        """
        loop, flushed = asyncio.get_running_loop(), asyncio.wrap_future(self.outbox.flushed())
        start_s = loop.time()
        try:
            while not flushed.done():
                since_s, limit_s = start_s, timeout_s
                if limit_s is None:
                    since_s, limit_s = max(start_s, self.outbox.answered_s), silence_s
                left_s = since_s + limit_s - loop.time()
                if left_s <= 0:
                    raise self._late(limit_s)
                await asyncio.wait([flushed], timeout=left_s)
        finally:
            flushed.cancel()
        if (error := self.outbox.take_error()) is not None:
            raise error

    def _late(self, timeout_s: float) -> Unavailable:
        return Unavailable(
            f"{self.outbox.count} observations were not answered within {timeout_s:g} s; they are still being sent",
            code="flush_timeout",
            field="timeout_s",
            limit=timeout_s,
            value=self.outbox.count,
        )

    async def drain(self, timeout_s: float | None) -> None:
        """Send everything held, wait for the answers, and end the session; after `timeout_s`, give up on the rest.

        Raises
        ------
        FailedPrecondition
            As `here`, if it has not ended.
        """
        if self.ended:
            self.outbox.close()
            if not self.task.cancelled():
                # Looked at, so that nobody reports it once more.
                self.task.exception()
            return
        self.here().outbox.close()
        self.stream.drain()
        _, late = await asyncio.wait([self.task], timeout=timeout_s)
        for task in late:
            self.stream.give_up()
            task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def let_go(self) -> None:
        """End the session once everything held is answered, but do not wait for that; callable from any thread."""
        # If the event loop is closed, `end` drains the session at the end of the interpreter.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.stream.drain)

    def end(self, timeout_s: float) -> None:
        """Drain the session at the end of the interpreter; log a warning about observations that are not stored."""
        if self._loop.is_running():
            # `drain` keeps to `timeout_s` only if the event loop does not hang.
            wait_s = timeout_s + _HANG_S
            with contextlib.suppress(TimeoutError, concurrent.futures.CancelledError):
                asyncio.run_coroutine_threadsafe(self.drain(timeout_s), self._loop).result(wait_s)
        elif self.outbox.count and self._reopen is not None:
            self.outbox.close()
            asyncio.run(self._finish_elsewhere(self._reopen, timeout_s))
        self.warn()

    def warn(self) -> None:
        """Log observations that were refused or given up, and that neither an `observe` nor a flush has told of."""
        losses = self.outbox.take_losses()
        if losses.count:
            _log.warning("%s", losses.describe(self.config.name))

    async def _finish_elsewhere(self, reopen: Reopen, timeout_s: float) -> None:
        silence(self._loop)
        self._loop = asyncio.get_running_loop()
        prepare_loop(self._loop)
        wakeup = LoopWakeup()
        transport = reopen()
        self.stream = ObserveStream(
            transport,
            self.outbox,
            wakeup,
            self.config,
            self._encode,
            options=self._options,
            session_id=self.stream.session_id,
            incarnation=self.stream.incarnation,
            window=self.stream.release(),
            writer=self.stream.writer,
        )
        self.outbox.set_wakeup(wakeup.wake)
        self.task = self._loop.create_task(self.stream.run())
        await self.drain(timeout_s)
        await transport.close()

    def _ended(self, _: asyncio.Task[None]) -> None:
        # A task that was cancelled before it started leaves observations unanswered; `end` handles them.
        if not self.outbox.count:
            interpreter_exit.closed(self._ending)

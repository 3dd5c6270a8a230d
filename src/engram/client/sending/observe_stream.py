"""The observe stream: it sends batches and receives answers, across broken connections and restarts of the server."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any, cast

from engram.client.retry import Backoff, may_reconnect
from engram.client.sending.batch_source import BatchSource
from engram.client.sending.loop_wakeup import LoopWakeup
from engram.client.sending.outgoing_batch import OutgoingBatch
from engram.client.sending.rate_control import RateControl, ServerLoad
from engram.client.sending.send_buffer import SendBuffer
from engram.client.sending.send_window import SendWindow, Settled
from engram.client.sending.stream_options import StreamOptions
from engram.client.sending.watchdog import NOT_CONNECTED, ProgressWatchdog
from engram.client.transport import (
    Accepted,
    Closed,
    Event,
    Greeting,
    Indexed,
    LoadChange,
    ObserveTransport,
    Refused,
    SessionError,
    StreamConnection,
)
from engram.errors import EngramError, OverCapacity, Unavailable
from engram.lifecycle import interpreter_exit
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig


class ObserveStream:
    """The stream of one session of a client with one space. All methods run on one event loop.

    Parameters
    ----------
    transport
        Opens connections.
    outbox
        Buffer from which batches are taken and in which they are settled.
    wakeup
        Wakes the sender when the outbox has something to send.
    config
        Settings of the space; single observations are checked against them when they are sent as a batch.
    encode
        Encodes a checked batch for the transport.
    options
        Bounds on sending and waiting.
    session_id, incarnation
        Id of the session to resume, empty for a new one, and the incarnation of its space, empty if not known.
    window, writer
        Batches in flight, and writer number, of an earlier stream of the session that this stream replaces; None for
        new ones. By the writer number the server knows that both streams belong to one client.
    """

    def __init__(
        self,
        transport: ObserveTransport,
        outbox: SendBuffer,
        wakeup: LoopWakeup,
        config: SpaceConfig,
        encode: Callable[[ObservationBatch], Any],
        *,
        options: StreamOptions,
        session_id: str = "",
        incarnation: str = "",
        window: SendWindow | None = None,
        writer: int | None = None,
    ) -> None:
        self.session_id: str = session_id
        self.incarnation: str = incarnation
        self.failure: EngramError | None = None
        self.indexed_sequence: int = 0
        self.connections: int = 0
        self.writer: int = secrets.randbits(63) + 1 if writer is None else writer
        self._transport = transport
        self._outbox = outbox
        self._config = config
        self._batches = BatchSource(outbox, config, encode)
        self._options = options
        final = (OverCapacity,) if options.on_overload == "fail" else ()
        self._window = window or SendWindow(options.flight_count_max, final)
        self._rate_control = RateControl()
        self._backoff = Backoff()
        self._loop = asyncio.get_running_loop()
        self._watchdog = ProgressWatchdog(options.patience_s, options.silence_s, self._loop.time())
        self._wakeup = wakeup
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._closing = False
        self._giving_up = False

    @property
    def durable_sequence(self) -> int:
        """Last acknowledged sequence number of the session."""
        return self._window.acked_sequence

    async def connected(self) -> None:
        """Wait for the first connection; raise the error that made it impossible."""
        await asyncio.shield(self._connected)

    def drain(self) -> None:
        """Let `run` return once everything is answered."""
        self._closing = True
        self._wakeup.wake()

    def give_up(self) -> None:
        """Have the next cancellation of `run` fail everything that is not answered."""
        self._giving_up = True

    def release(self) -> SendWindow:
        """Return the batches in flight, for a stream that replaces this one because its event loop has ended."""
        released, self._window = self._window, SendWindow(1)
        released.disconnected()
        return released

    async def run(self) -> None:
        """Run the session until it is drained or has failed.

        A lasting `EngramError` is not raised; it is the answer to everything unanswered. A cancellation without
        `give_up` means that the event loop ends: then the task continues, for at most 10 s, until all is answered.
        """
        try:
            try:
                await self._go_on()
            except asyncio.CancelledError:
                if self._giving_up or self._is_idle():
                    raise
                # Before Python 3.11.4, `asyncio.timeout` does not work in a task that is being cancelled.
                cast("asyncio.Task[None]", asyncio.current_task()).uncancel()
                await self._send_the_rest()
        except EngramError as error:
            self._fail(error)
        except asyncio.CancelledError:
            self._fail(Unavailable("the client was closed before the server answered", code="client_closed"))
            raise
        except GeneratorExit:
            # The event loop was closed before the task ended. `ObserveSession.end` sends what is unanswered.
            raise
        except BaseException as error:
            self._fail(EngramError(f"the client failed: {error!r}", code="client_failed"))
            raise
        if not self._connected.done():
            # Drained before the first connection: callers that wait for the connection must not wait for ever.
            self._connected.set_exception(Unavailable("the client was closed", code="client_closed"))
            self._connected.exception()

    async def _go_on(self) -> None:
        while not (await self._session() or self._is_drained()):  # noqa: ASYNC110 - a pause between two attempts.
            await asyncio.sleep(self._backoff.next_s())

    async def _send_the_rest(self) -> None:
        """Send everything and wait for the answers; the event loop waits for this task before it ends."""
        self._closing = True
        self._outbox.close()
        try:
            async with asyncio.timeout(interpreter_exit.ENDING_S):
                await self._go_on()
        except TimeoutError:
            last_error = self._watchdog.last_error
            reason = "" if last_error.code == NOT_CONNECTED and self.connections else f"; {last_error.message}"
            self._fail(Unavailable(f"the event loop ended before the server answered{reason}", code="client_closed"))
        losses = self._outbox.take_losses()
        if losses.count:
            interpreter_exit.report(losses.describe(self._config.name))

    async def _session(self) -> bool:
        """Connect, send and receive; return True when drained, False to retry. Raises if a retry cannot help."""
        try:
            connection, welcome = await self._transport.observe(self._greeting())
        except EngramError as error:
            self._note_failure(error)
            return False
        try:
            self.connections += 1
            self.session_id = welcome.session_id
            if welcome.queue_capacity:
                self._window.flight_count_max = min(self._options.flight_count_max, welcome.queue_capacity // 4 + 1)
            self._settle(self._window.resumed(welcome.durable_sequence, welcome.generation))
            self.incarnation = welcome.incarnation
            if not self._connected.done():
                self._connected.set_result(None)
            return await self._converse(connection)
        finally:
            self._rate_control.disconnected()
            self._window.disconnected()
            await connection.abort()

    def _greeting(self) -> Greeting:
        known_sequence = self._window.known_sequence
        return Greeting(self._config.name, self.session_id, self.writer, known_sequence, self.incarnation)

    async def _converse(self, connection: StreamConnection) -> bool:
        self._watchdog.note_traffic(self._loop.time())
        tasks = [asyncio.ensure_future(self._receive(connection)), asyncio.ensure_future(self._send(connection))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except GeneratorExit:
            # The event loop was closed, so these tasks cannot be awaited any more.
            raise
        except BaseException:
            await _cancelled(tasks)
            raise
        results = await _cancelled(tasks)
        if self._is_drained():
            return True
        for result in results:
            if isinstance(result, EngramError):
                self._note_failure(result)
            elif isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result
        return False

    # ---- sending ----------------------------------------------------------------------------------------------

    async def _send(self, connection: StreamConnection) -> None:
        while True:
            self._check_progress()
            self._check_silence()
            outgoing = self._next()
            if outgoing is not None:
                first = self._window.send(outgoing)
                self._rate_control.sent(outgoing.count, self._loop.time())
                await connection.send(outgoing.payload, first, outgoing.traceparent)
            elif self._is_drained():
                await connection.close_session(self._window.acked_sequence)
                # `_receive` returns as soon as the server confirms the close; then `_converse` cancels this wait.
                await asyncio.sleep(self._options.close_s)
                return
            else:
                await self._wakeup.wait(self._delay_s())

    def _next(self) -> OutgoingBatch | None:
        """Return the next batch if it is due and may be sent now, else None."""
        now_s = self._loop.time()
        if self._rate_control.delay_s(now_s) > 0:
            return None
        if self._window.has_returned:
            return self._window.pop_returned()
        due_s = self._outbox.due_s()
        if due_s is None or due_s > now_s or not self._window.can_send(self._outbox.next_count()):
            return None
        outgoing = self._batches.take()
        if outgoing is None:
            # All of it was refused, and the next batch may be due already.
            self._wakeup.wake()
        return outgoing

    def _delay_s(self) -> float:
        """Return the seconds for which there is nothing to do unless something wakes the sender."""
        now_s, delay_s = self._loop.time(), self._options.silence_s / 4
        if (rate_delay_s := self._rate_control.delay_s(now_s)) > 0:
            return min(delay_s, rate_delay_s)
        due_s = self._outbox.due_s()
        return min(delay_s, due_s - now_s) if due_s is not None and due_s > now_s else delay_s

    # ---- receiving --------------------------------------------------------------------------------------------

    async def _receive(self, connection: StreamConnection) -> None:
        while True:
            event = await connection.receive()
            self._watchdog.note_traffic(self._loop.time())
            if isinstance(event, Closed) and self._is_drained():
                return
            self._handle(event)
            # With nothing unanswered there is nothing to send, and an `observe` that begins wakes the sender itself.
            if self._outbox.count or self._closing:
                self._wakeup.wake()

    def _handle(self, event: Event) -> None:
        now_s = self._loop.time()
        match event:
            case Accepted(ack):
                self._settle(self._window.accepted(ack))
            case Indexed(sequence):
                self.indexed_sequence = sequence
            case Refused(first, last, error):
                self._watchdog.last_error = error
                settled = self._window.rejected(first, last, error)
                if isinstance(error, Unavailable):
                    self._rate_control.hold(error.retry_after_ms or self._options.refusal_delay_ms, now_s)
                elif isinstance(error, OverCapacity):
                    self._rate_control.refused(error.retry_after_ms or self._options.refusal_delay_ms, now_s)
                    self._watchdog.extend(now_s, (error.retry_after_ms or 0) / 1000)
                self._settle(settled)
            case LoadChange(load, retry_after_ms):
                self._rate_control.status(load, retry_after_ms, now_s)
                if load is ServerLoad.OVERLOADED:
                    self._watchdog.extend(now_s, retry_after_ms / 1000)
            case SessionError(error):
                raise error
            case Closed():
                raise Unavailable("the server closed the session", code="session_closed")

    def _settle(self, settled: Sequence[Settled]) -> None:
        if settled:
            self._watchdog.note_progress(self._loop.time())
            self._backoff.reset()
        for outgoing, answer in settled:
            self._batches.settle(outgoing, answer)

    # ---- failures ---------------------------------------------------------------------------------------------

    def _is_drained(self) -> bool:
        return self._closing and self._is_idle()

    def _is_idle(self) -> bool:
        return len(self._window) == 0 and self._outbox.count == 0

    def _note_failure(self, error: EngramError) -> None:
        """Note the error of a failed attempt; raise it if it is lasting, or if there was no progress for too long."""
        self._watchdog.last_error = error
        if not may_reconnect(error):
            raise error
        self._check_progress()

    def _check_progress(self) -> None:
        now_s = self._loop.time()
        if self._rate_control.load is ServerLoad.PAUSED or (self._is_idle() and self._connected.done()):
            self._watchdog.note_progress(now_s)
        elif self._connected.done():
            # The sender may have slept since long before.
            self._watchdog.note_begun(self._outbox.busy_since_s)
        self._watchdog.check_progress(now_s)

    def _check_silence(self) -> None:
        now_s = self._loop.time()
        if self._rate_control.load is ServerLoad.PAUSED or self._window.flight_count == 0:
            self._watchdog.note_traffic(now_s)
        self._watchdog.check_silence(now_s)

    def _fail(self, error: EngramError) -> None:
        self.failure = error
        if not self._connected.done():
            self._connected.set_exception(error)
            self._connected.exception()  # Marks it as retrieved: callers get the error through the outbox.
        for outgoing, answer in self._window.abandon(error):
            self._batches.settle(outgoing, answer)
        self._batches.fail(error)


async def _cancelled(tasks: Sequence[asyncio.Future[None]]) -> list[BaseException | None]:
    """Cancel the tasks that still run; return the exception of each task, or None."""
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)

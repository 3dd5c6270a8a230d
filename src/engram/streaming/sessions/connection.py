"""One live connection of a client to a session: messages come in, events go out through the outbox."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from engram.errors import EngramError, FailedPrecondition, InvalidInput, OverCapacity, Unavailable
from engram.model.observations import ObservationBatch
from engram.store.space_engine import SpaceEngine
from engram.streaming.admission_spans import begin_admission, end_admission
from engram.streaming.ingest import Ingest
from engram.streaming.sessions.claim import Claim
from engram.streaming.sessions.flow_control import Flow, FlowAction
from engram.streaming.sessions.outbox import SessionOutbox, StateChange, StreamState
from engram.streaming.sessions.paused_backlog import Message, PausedBacklog
from engram.streaming.sessions.registry import Sessions
from engram.streaming.sessions.send_rate import SendRate
from engram.streaming.sessions.session import InFlight, SequenceVerdict, Session
from engram.streaming.sessions.states import SessionState

if TYPE_CHECKING:
    from engram.tracing.recorder import StageSpan


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of one connection.

    Parameters
    ----------
    in_flight_count_max, in_flight_bytes_max
        Observations, and their bytes, between admission and answer. Nothing more is admitted once one of these limits
        is reached; a single message may exceed them. They also limit what is buffered while a session is paused.
    drain_timeout_s
        Seconds that a close waits for everything to be stored (and indexed, if asked for).
    """

    in_flight_count_max: int = 32_768
    in_flight_bytes_max: int = 64 * 1024 * 1024
    drain_timeout_s: float = 300.0


class Connection:
    """One connection, driven by a transport, which awaits one method per message, in order, and writes the outbox.

    A method that raises an `EngramError` ends the call. Errors after which the client can continue are answered in the
    outbox instead.
    """

    def __init__(self, ingest: Ingest, sessions: Sessions, limits: ConnectionLimits) -> None:
        self.outbox: Final = SessionOutbox(sessions.mailbox)
        self.session: Session | None = None
        self.space: SpaceEngine | None = None
        # What the client called the space, which may be an alias.
        self.asked_for = ""
        self._has_let_go = False
        self._ingest = ingest
        self._sessions = sessions
        self._limits = limits
        self._backlog: Final = PausedBacklog(limits.in_flight_count_max, limits.in_flight_bytes_max, sessions.backlogs)

    async def open(self, space: SpaceEngine, session_id: str, claim: Claim | None = None) -> None:
        """Open a session in `space`, or resume the one with this id once none of its messages is in flight any more.

        Raises
        ------
        FailedPrecondition
            If this connection already has a session.
        EngramError
            As `Sessions.open`.
        """
        if self.session is not None:
            raise FailedPrecondition(
                f"this stream already has session {self.session.id}", code="already_open", field="init"
            )
        # As long as there is a connection, the space must not come to rest: it would be another one afterwards.
        space = space.held()
        try:
            self.session = await self._sessions.open(space, session_id, self.outbox, claim)
        except BaseException:
            space.let_go()
            raise
        self.space = space
        self._send_pressure(self.session, space)

    async def observe(self, message: Message) -> None:
        """Process observations: admit them, buffer them while paused, answer a duplicate, or refuse them in the outbox.

        Raises
        ------
        FailedPrecondition
            If there is no session yet, or the session is no longer this connection's.
        """
        session, space = self.opened()
        session.touch()
        if session.state is SessionState.PAUSED:
            # Messages must be read on, within bounds, because the RESUME comes behind them on the same stream.
            self._keep(session, message)
        else:
            await self._admit(session, space, message)
        await self.outbox.room()

    async def flow(self, flow: Flow) -> None:
        """Pause, resume, send faster or slower. Every request also shows that the client is alive.

        Raises
        ------
        FailedPrecondition
            If there is no session yet, the session is no longer this connection's, or its state does not permit the
            action.
        """
        session, space = self.opened()
        session.touch()
        match flow.action:
            case FlowAction.PAUSE:
                session.move(SessionState.PAUSED)
                self.outbox.put(StateChange(StreamState.PAUSED, sequence=session.durable_sequence))
                self.outbox.hold()
            case FlowAction.RESUME:
                session.move(SessionState.ACTIVE)
                self.outbox.put(StateChange(StreamState.ACTIVE, sequence=session.durable_sequence))
                self._send_pressure(session, space)
                self.outbox.release()
            case FlowAction.SLOW_DOWN if not flow.preferred_rate:
                self.outbox.set_rate(SendRate.slow_down)
            case FlowAction.SPEED_UP if not flow.preferred_rate:
                self.outbox.set_rate(SendRate.speed_up)
            case FlowAction.BUFFER_STATUS if flow.buffer_remaining <= 0:
                self.outbox.hold()
            case FlowAction.BUFFER_STATUS if session.state is not SessionState.PAUSED:
                self.outbox.release()
        if flow.preferred_rate > 0:
            self.outbox.set_rate(lambda rate: rate.prefer(flow.preferred_rate))
        if flow.action is FlowAction.RESUME:
            await self._admit_backlog()

    async def close(self, *, drain: bool, last_sequence: int = 0) -> None:
        """End the session: wait until everything admitted is stored (and indexed, if `drain`), then send CLOSED.

        Raises
        ------
        FailedPrecondition
            If there is no session yet, or the session is no longer this connection's.
        """
        session, _ = self.opened()
        await self._admit_backlog()
        if session.outbox is not self.outbox:
            return  # Taken over meanwhile: it is not this connection's to end.
        session.move(SessionState.DRAINING)
        self.outbox.release()
        error: EngramError | None = None
        try:
            async with asyncio.timeout(self._limits.drain_timeout_s):
                await session.changed.wait_for(
                    lambda: session.outbox is not self.outbox or (session.settled and (session.indexed or not drain))
                )
        except TimeoutError:
            error = Unavailable(
                f"not everything was indexed within {self._limits.drain_timeout_s:g} s; what was acked is safe",
                code="drain_timeout",
                limit=f"{self._limits.drain_timeout_s:g} s",
            )
        if session.outbox is not self.outbox:
            return
        self._sessions.close(session)
        final = session.durable_sequence
        if error is None and last_sequence > final:
            error = FailedPrecondition(
                f"the session ends at sequence {final}, before the client's last, {last_sequence}",
                code="sequence_incomplete",
                field="last_sequence",
                limit=final,
                value=last_sequence,
                expected_sequence=final + 1,
            )
        self.outbox.put(StateChange(StreamState.CLOSED, error.message if error else "closed", final, error))
        self.outbox.finish()

    async def end_of_input(self) -> None:
        """End the connection of a client that stopped sending without a close: send its acks, and keep the session.

        Raises
        ------
        FailedPrecondition
            If the session is no longer this connection's.
        """
        if self.session is not None:
            await self._admit_backlog()
            await self._settled(self.session)
        self.outbox.finish()

    async def shut_down(self, reason: EngramError) -> None:
        """End the connection because the server stops: let what is in flight be stored and acked, then send CLOSED.

        Both CLOSED and the end of the call carry `reason`.
        """
        session = self.session
        if session is not None and session.outbox is self.outbox:
            await self._settled(session)
            self.outbox.put(StateChange(StreamState.CLOSED, reason.message, session.durable_sequence, reason))
        self.outbox.finish(reason)

    def complain(self, error: EngramError) -> None:
        """Report an error that ends nothing and belongs to no sequence number."""
        sequence = self.session.durable_sequence if self.session is not None else 0
        self.outbox.put(StateChange(StreamState.ERROR, error.message, sequence, error))

    def reject(self, first_sequence: int, count: int, error: EngramError) -> None:
        """Refuse observations that could not be decoded.

        Raises
        ------
        FailedPrecondition
            If there is no session yet, or the session is no longer this connection's.
        """
        session, _ = self.opened()
        session.reject(first_sequence, count, error)

    def detach(self) -> None:
        """Detach from the session, because the connection is gone. The session stays until it is idle for too long."""
        self._backlog.clear()
        if self.space is not None and not self._has_let_go:
            self._has_let_go = True
            self.space.let_go()
        if self.session is not None:
            self._sessions.detach(self.session, self.outbox)

    def opened(self) -> tuple[Session, SpaceEngine]:
        """Return the session and its space.

        Raises
        ------
        FailedPrecondition
            If the stream has not been opened with init, the session is no longer this connection's, or its space has
            been dropped or renamed.
        """
        if self.session is None or self.space is None:
            raise FailedPrecondition("the first message of a stream is init", code="no_init", field="init")
        if self.session.outbox is not self.outbox:
            self.space.life.check()
            # The client has been informed, but messages that it sent before may still arrive.
            raise FailedPrecondition(
                f"session {self.session.id} has left this connection", code="session_taken_over", field="session"
            )
        return self.session, self.space

    async def _admit(self, session: Session, space: SpaceEngine, message: Message) -> None:
        # What a client holds back itself, while it pauses, is no latency of the server.
        count, received_s = len(message.batch), time.perf_counter()
        span = begin_admission(
            session.space, message.batch, message.priority, session=session.id, traceparent=message.traceparent
        )
        try:
            await self._room(session)
            batch = await self._ingest.prepare(space, message.batch)
            if session.outbox is not self.outbox:
                end_admission(span)
                return  # Taken over while the embedder ran.
            # Checked after the waits above, because earlier messages may have failed meanwhile.
            offer = session.offer(message.first_sequence, count)
            if offer is SequenceVerdict.DURABLE:
                session.repeat(message.first_sequence, message.first_sequence + count - 1)
            elif offer is SequenceVerdict.NEW:
                self._submit(session, space, message, batch, received_s, span)
            end_admission(span, duplicate=offer is not SequenceVerdict.NEW)
            # A duplicate of a message in flight needs no answer of its own, because acks are cumulative.
        except EngramError as error:
            end_admission(span, error)
            # If another connection has taken over the session, it uses these sequence numbers for other observations.
            if session.outbox is not self.outbox:
                return
            if isinstance(error, InvalidInput) and message.are_joined:
                for part in message.parts():
                    await self._admit(session, space, part)
            else:
                session.reject(message.first_sequence, count, error)

    def _submit(
        self,
        session: Session,
        space: SpaceEngine,
        message: Message,
        batch: ObservationBatch,
        received_s: float,
        span: StageSpan | None,
    ) -> None:
        last_sequence = message.first_sequence + len(batch) - 1
        in_flight = InFlight(
            message.first_sequence, last_sequence, batch.nbytes, message.memory_id, priority=message.priority
        )
        self._ingest.submit(
            space,
            batch,
            partial(session.settle, in_flight),
            priority=message.priority,
            session=session.id,
            first_sequence=message.first_sequence,
            writer=session.owner,
            received_s=received_s,
            admission=span,
        )
        # The result arrives through the event loop, so it cannot come before this call.
        session.admit(in_flight)

    def _send_pressure(self, session: Session, space: SpaceEngine) -> None:
        """Send the pressure to a stream that is new or was paused, and so did not get the last change."""
        state, reason = self._ingest.admission.status(space)
        if reason is not None:
            self.outbox.put_pressure(StateChange(state, reason.message, session.durable_sequence, reason))

    async def _room(self, session: Session) -> None:
        """Wait until more may be in flight, or another connection has taken over the session."""
        limits = self._limits
        await session.changed.wait_for(
            lambda: (
                session.outbox is not self.outbox
                or (
                    session.in_flight_count < limits.in_flight_count_max
                    and session.in_flight_bytes < limits.in_flight_bytes_max
                )
            )
        )

    def _keep(self, session: Session, message: Message) -> None:
        try:
            self._backlog.keep(message)
        except OverCapacity as error:
            session.reject(message.first_sequence, len(message.batch), error)

    async def _settled(self, session: Session) -> None:
        """Wait until nothing is in flight, or another connection has taken over the session."""
        await session.changed.wait_for(lambda: session.settled or session.outbox is not self.outbox)

    async def _admit_backlog(self) -> None:
        session, space = self.opened()
        while self._backlog:
            await self._admit(session, space, self._backlog.pop())
            await self.outbox.room()

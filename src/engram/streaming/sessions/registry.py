"""The registry of a server's sessions: it opens, resumes, takes over and expires them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Final

from engram.errors import EngramError, FailedPrecondition, InvalidInput, OverCapacity, Unavailable
from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.model.limits import SESSION_ID_BYTES_MAX
from engram.store.naming.space_life import SpaceLife
from engram.store.space_engine import SpaceEngine
from engram.streaming.counters import Counters
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.loop.watermark_relay import WatermarkRelay
from engram.streaming.sessions.claim import Claim
from engram.streaming.sessions.outbox import Opened, SessionOutbox, StateChange, StreamState
from engram.streaming.sessions.paused_backlog import PAUSED_BYTES_MAX, BacklogBudget
from engram.streaming.sessions.session import Session
from engram.streaming.sessions.states import SessionState

SESSIONS_MAX: Final = 10_000
IDLE_S_MAX: Final = 300.0
# Less than a client waits for an answer. At most the content of the lanes is in flight, which takes a second or two.
SETTLE_TIMEOUT_S: Final = 5.0
# The time after which a client should retry when every session is in use.
_RETRY_AFTER_MS: Final = 5_000
_SETTLING_RETRY_AFTER_MS: Final = 500


class Sessions:
    """Keeps one `Session` per space and id while it is in use, and for `idle_s_max` seconds after.

    The space records what a session has made durable, so a session that expired, or that ended with a restart of the
    server, is resumed like any other. Used on the event loop's thread only.

    Parameters
    ----------
    mailbox
        Delivers notifications of what has been indexed.
    counters
        Counts accepted and rejected observations.
    sessions_max
        The most sessions that are kept. Sessions without a connection make room for new ones, the longest idle first.
    idle_s_max
        A session expires when its client has been silent for this many seconds, with or without a connection.
    paused_bytes_max
        Bytes of observations that may be buffered, over all paused sessions, while their clients keep sending.
    settle_timeout_s
        Seconds that opening a session waits for messages that an older connection of the session has in flight.
    clock
        Monotonic clock in seconds.
    """

    def __init__(
        self,
        *,
        mailbox: Mailbox,
        counters: Counters,
        sessions_max: int = SESSIONS_MAX,
        idle_s_max: float = IDLE_S_MAX,
        paused_bytes_max: int = PAUSED_BYTES_MAX,
        settle_timeout_s: float = SETTLE_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.backlogs: Final = BacklogBudget(paused_bytes_max)
        self._sessions: dict[str, dict[str, Session]] = {}
        self._relays: dict[str, WatermarkRelay] = {}
        self._lives: dict[str, SpaceLife] = {}
        self.mailbox: Final = mailbox
        self._sessions_max = sessions_max
        self._idle_s_max = idle_s_max
        self._settle_timeout_s = settle_timeout_s
        self._counters = counters
        self._clock = clock

    def __len__(self) -> int:
        return sum(map(len, self._sessions.values()))

    def samples(self) -> Iterator[MetricSample]:
        """Yield the metrics of the sessions."""
        yield table.ACTIVE_SESSIONS.sample(len(self))
        yield table.CONNECTIONS.sample(sum(session.outbox is not None for session in self._everyone()))

    async def open(
        self, space: SpaceEngine, session_id: str, outbox: SessionOutbox, claim: Claim | None = None
    ) -> Session:
        """Open a new session, or resume `session_id`, and connect it to `outbox`.

        The newest connection wins: one that has the session already, or waits for it, is informed and closed. The call
        then waits until nothing of the older connection is in flight. Otherwise, observations of the newer connection
        could be taken for duplicates of those in flight under the same sequence numbers.

        Raises
        ------
        InvalidInput
            If the id is too long or not printable.
        FailedPrecondition
            If `claim` does not permit to continue the session, or a still newer connection came while this one waited;
            if the space is dropped or renamed.
        OverCapacity
            If the limit of sessions is reached and every session is in use.
        Unavailable
            If what is in flight did not settle in time; trying again is safe.
        """
        claim = claim or Claim()
        session_id = _check_id(session_id) if session_id else uuid.uuid4().hex
        claim.check_incarnation(session_id, space)
        self._follow(space)
        session = self._find_or_create(space, session_id)
        claim.check_owner(session_id, session.owner)
        _take_over(session, outbox, claim.writer)
        try:
            await self._settled(session, outbox)
            claim.check_stored(session_id, space)
            space.life.check()
        except EngramError:
            self._give_up(session, outbox)
            # Whatever it was, the end of the space explains it.
            space.life.check()
            raise
        except BaseException:
            self._give_up(session, outbox)
            raise
        session.move(SessionState.ACTIVE)
        session.claimant, session.outbox = None, outbox
        outbox.put(Opened(session.id, session.durable_sequence, space.config.dim, space.generation, space.incarnation))
        session.repeat_indexed()
        session.pass_watermark(space.indexed_generation)
        return session

    def detach(self, session: Session, outbox: SessionOutbox) -> None:
        """Record that the connection of `outbox` is gone. The session stays until it expires."""
        if session.outbox is outbox:
            session.outbox = None
            session.touch()

    def close(self, session: Session) -> None:
        """End a drained session for good. A session with messages in flight only loses its connection.

        The next connection under the same id must find the messages in flight; otherwise it would send under sequence
        numbers that are taken.
        """
        if session.settled:
            session.move(SessionState.CLOSED)
            self._remove(session)
        elif session.outbox is not None:
            self.detach(session, session.outbox)

    def expire(self) -> int:
        """End the sessions that have been idle for too long, and return their number."""
        latest_s = self._clock() - self._idle_s_max
        idle = [session for session in self._everyone() if session.settled and session.claimant is None]
        expired = [session for session in idle if session.last_active_s <= latest_s]
        for session in expired:
            self._expire(session)
        return len(expired)

    def pass_watermark(self, space: str, generation: int) -> None:
        """Notify the sessions of `space` that everything up to `generation` is indexed."""
        for session in list(self._sessions.get(space, {}).values()):
            if not session.indexed:
                session.pass_watermark(generation)

    def tell_pressure(self, space: str, state: StreamState, reason: OverCapacity | None) -> None:
        """Send a change of the pressure to the streams of `space`. A paused stream gets it when it resumes."""
        message = reason.message if reason is not None else "the pressure is gone"
        for session in self._sessions.get(space, {}).values():
            if session.outbox is not None and session.state is not SessionState.PAUSED:
                session.outbox.put_pressure(StateChange(state, message, session.durable_sequence, reason))

    def _everyone(self) -> Iterator[Session]:
        return (session for group in self._sessions.values() for session in group.values())

    def _follow(self, space: SpaceEngine) -> None:
        """Be told when the space has indexed more, and when its life ends."""
        name, life = space.config.name, space.life
        life.check()
        former = self._lives.get(name)
        if former is not None and former.is_over:
            # The space was made anew, and the end of the former one waits in the mailbox.
            self._end_all(name, former)
        if former is not life:
            self._lives[name] = life
            life.when_ended(lambda error: self.mailbox.post(lambda ended: self._end_all(name, ended), life))
        relay = self._relays.get(name)
        if relay is None or not relay.follows(space):
            self._relays[name] = WatermarkRelay(space, self.mailbox, self.pass_watermark)

    def _end_all(self, name: str, life: SpaceLife) -> None:
        """End the sessions of a space that was dropped or renamed, each with the reason."""
        if self._lives.get(name) is not life:
            return
        del self._lives[name]
        self._relays.pop(name, None)
        for session in self._sessions.pop(name, {}).values():
            _end(session, life.error)

    def _find_or_create(self, space: SpaceEngine, session_id: str) -> Session:
        name = space.config.name
        session = self._sessions.get(name, {}).get(session_id)
        if session is not None:
            return session
        if len(self) >= self._sessions_max:
            self._make_room()
        session = Session(
            name,
            session_id,
            durable_sequence=space.durable_sequence(session_id),
            generation=space.generation,
            latest=space.latest_sequences(session_id),
            counters=self._counters,
            clock=self._clock,
        )
        self._sessions.setdefault(name, {})[session_id] = session
        return session

    async def _settled(self, session: Session, claimant: SessionOutbox) -> None:
        """Wait until nothing of an older connection is in flight, at most `settle_timeout_s` seconds."""
        if session.settled:
            return
        try:
            async with asyncio.timeout(self._settle_timeout_s):
                await session.changed.wait_for(lambda: session.settled or session.claimant is not claimant)
        except TimeoutError:
            raise Unavailable(
                f"what an earlier connection of session {session.id} sent was not stored within "
                f"{self._settle_timeout_s:g} s; open the session again",
                code="session_settling",
                field="session",
                limit=f"{self._settle_timeout_s:g} s",
                value=session.in_flight_count,
                retry_after_ms=_SETTLING_RETRY_AFTER_MS,
            ) from None
        if session.claimant is not claimant:
            raise _taken_over(session)

    def _give_up(self, session: Session, claimant: SessionOutbox) -> None:
        if session.claimant is not claimant:
            return
        session.claimant = None
        session.touch()
        if session.state is SessionState.INIT:
            self._remove(session)

    def _make_room(self) -> None:
        unused = [session for session in self._everyone() if session.unused]
        if not unused:
            raise OverCapacity(
                f"{self._sessions_max} sessions are open",
                code="too_many_sessions",
                field="sessions",
                limit=self._sessions_max,
                value=len(self) + 1,
                retry_after_ms=_RETRY_AFTER_MS,
            )
        self._expire(min(unused, key=lambda session: session.last_active_s))

    def _expire(self, session: Session) -> None:
        session.move(SessionState.EXPIRED)
        self._remove(session)
        if session.outbox is not None:
            error = FailedPrecondition(
                f"session {session.id} was idle for {self._idle_s_max:g} s; it can be resumed",
                code="session_expired",
                field="session",
                limit=f"{self._idle_s_max:g} s",
            )
            session.outbox.put(StateChange(StreamState.CLOSED, error.message, session.durable_sequence, error))
            session.outbox.finish()
            session.outbox = None

    def _remove(self, session: Session) -> None:
        group = self._sessions[session.space]
        del group[session.id]
        if not group:
            del self._sessions[session.space]


def _take_over(session: Session, claimant: SessionOutbox, writer: int) -> None:
    """Make `claimant` the next connection of the session, which has no connection until then."""
    older, session.outbox = session.outbox, None
    session.claimant, session.owner = claimant, writer
    session.touch()
    if older is not None:
        error = _taken_over(session)
        older.put(StateChange(StreamState.ERROR, error.message, session.durable_sequence, error))
        older.finish()
    # Coroutines of an older connection that wait for the session have nothing to wait for any more.
    session.changed.notify()


def _end(session: Session, error: EngramError | None) -> None:
    """End a session, whose space is no more, with the reason; whoever waits for it has nothing to wait for."""
    outbox, session.outbox, session.claimant = session.outbox, None, None
    if outbox is not None and error is not None:
        outbox.put(StateChange(StreamState.ERROR, error.message, session.durable_sequence, error))
        outbox.finish()
    session.changed.notify()


def _taken_over(session: Session) -> FailedPrecondition:
    return FailedPrecondition(
        f"session {session.id} was resumed by a newer connection", code="session_taken_over", field="session"
    )


def _check_id(session_id: str) -> str:
    if len(session_id.encode()) > SESSION_ID_BYTES_MAX or not session_id.isprintable():
        raise InvalidInput(
            f"a session id is printable and has at most {SESSION_ID_BYTES_MAX} bytes",
            code="invalid_session_id",
            field="session_id",
            limit=f"{SESSION_ID_BYTES_MAX} printable bytes",
            value=session_id[:SESSION_ID_BYTES_MAX],
        )
    return session_id

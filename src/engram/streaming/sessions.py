"""All sessions of a server: opened, resumed, taken over, expired."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Final

from engram.errors import FailedPrecondition, InvalidInput, OverCapacity
from engram.limits import SESSION_ID_BYTES_MAX
from engram.store.space import Space
from engram.streaming.backlog import PAUSED_BYTES_MAX, BacklogBudget
from engram.streaming.counters import Counters
from engram.streaming.indexed_relay import IndexedRelay
from engram.streaming.mailbox import Mailbox
from engram.streaming.outbox import Opened, Outbox, Status, StreamState
from engram.streaming.session import Session
from engram.streaming.states import SessionState

SESSIONS_MAX: Final = 10_000
IDLE_S_MAX: Final = 300.0
# How long a client should wait when every session is in use.
_RETRY_AFTER_MS: Final = 5_000


class Sessions:
    """Keeps one `Session` per space and id while it is in use, and for `idle_s_max` after.

    What a session has made durable is recorded by its space, so a session that expired, or that a restart of the
    server has ended, is resumed like any other. Used on the event loop's thread only.

    Parameters
    ----------
    mailbox
        Brings the news of what has been indexed.
    counters
        Counts what is accepted and rejected.
    sessions_max
        At most this many are kept. Sessions without connection make room for new ones, the longest idle first.
    idle_s_max
        A session expires when its client has been silent for so long, with or without connection.
    paused_bytes_max
        What is kept at most, of all sessions together, of what clients send although they have paused.
    clock
        Seconds, monotonic.
    """

    def __init__(
        self,
        *,
        mailbox: Mailbox,
        counters: Counters,
        sessions_max: int = SESSIONS_MAX,
        idle_s_max: float = IDLE_S_MAX,
        paused_bytes_max: int = PAUSED_BYTES_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.backlogs: Final = BacklogBudget(paused_bytes_max)
        self._sessions: dict[str, dict[str, Session]] = {}
        self._relays: dict[str, IndexedRelay] = {}
        self._mailbox = mailbox
        self._sessions_max = sessions_max
        self._idle_s_max = idle_s_max
        self._counters = counters
        self._clock = clock

    def __len__(self) -> int:
        return sum(map(len, self._sessions.values()))

    def open(self, space: Space, session_id: str, outbox: Outbox) -> Session:
        """Open a new session, or resume `session_id`, and connect it to `outbox`.

        Whoever was connected to the session is told so and closed: the newer connection wins.

        Raises
        ------
        InvalidInput
            If the id is too long or not printable.
        OverCapacity
            If there are too many sessions with a connection.
        """
        name = space.config.name
        if name not in self._relays:
            self._relays[name] = IndexedRelay(space, self._mailbox, self.pass_watermark)
        session = self._find_or_create(space, _check_id(session_id) if session_id else uuid.uuid4().hex)
        if session.outbox is not None:
            _take_over(session, session.outbox)
        session.move(SessionState.ACTIVE)
        session.outbox = outbox
        outbox.put(Opened(session.id, session.durable_sequence, space.config.dim, space.generation))
        session.repeat_indexed()
        session.pass_watermark(space.indexed_generation)
        return session

    def detach(self, session: Session, outbox: Outbox) -> None:
        """Note that the connection of `outbox` is gone. The session can be resumed until it expires."""
        if session.outbox is outbox:
            session.outbox = None
            session.touch()

    def close(self, session: Session) -> None:
        """End a drained session for good."""
        session.move(SessionState.CLOSED)
        self._remove(session)

    def expire(self) -> int:
        """End the sessions that have been idle for too long, and return how many."""
        latest_s = self._clock() - self._idle_s_max
        idle = [s for group in self._sessions.values() for s in group.values() if s.settled]
        expired = [session for session in idle if session.last_active_s <= latest_s]
        for session in expired:
            self._expire(session)
        return len(expired)

    def pass_watermark(self, space: str, generation: int) -> None:
        """Tell the sessions of `space` that everything up to `generation` is indexed."""
        for session in list(self._sessions.get(space, {}).values()):
            if not session.indexed:
                session.pass_watermark(generation)

    def tell_pressure(self, space: str, state: StreamState, reason: OverCapacity | None) -> None:
        """Tell the streams of `space` that the pressure changed; a paused one hears of it when it resumes."""
        message = reason.message if reason is not None else "the pressure is gone"
        for session in self._sessions.get(space, {}).values():
            if session.outbox is not None and session.state is not SessionState.PAUSED:
                session.outbox.put_pressure(Status(state, message, session.durable_sequence, reason))

    def _find_or_create(self, space: Space, session_id: str) -> Session:
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

    def _make_room(self) -> None:
        everyone = (s for group in self._sessions.values() for s in group.values())
        unused = [session for session in everyone if session.outbox is None and session.settled]
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
            session.outbox.put(Status(StreamState.CLOSED, error.message, session.durable_sequence, error))
            session.outbox.finish()
            session.outbox = None

    def _remove(self, session: Session) -> None:
        group = self._sessions[session.space]
        del group[session.id]
        if not group:
            del self._sessions[session.space]


def _take_over(session: Session, older: Outbox) -> None:
    error = FailedPrecondition(
        f"session {session.id} was resumed by a newer connection", code="session_taken_over", field="session"
    )
    older.put(Status(StreamState.ERROR, error.message, session.durable_sequence, error))
    older.finish()


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

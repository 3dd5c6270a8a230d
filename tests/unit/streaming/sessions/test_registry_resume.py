"""Opening a session of which something is in flight: it settles first, so that no number that is told is taken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engram.errors import EngramError, FailedPrecondition, Unavailable
from engram.store.commit.queue import CommitResult
from engram.streaming.counters import Counters
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.sessions.acks import AckStatus, SessionAck
from engram.streaming.sessions.claim import Claim
from engram.streaming.sessions.outbox import Event, Opened, SessionOutbox, StreamState
from engram.streaming.sessions.registry import Sessions
from engram.streaming.sessions.session import InFlight, Session
from engram.streaming.sessions.states import SessionState
from tests.doubles.fake_space import FakeSpace, ManualClock

# Long enough for any machine that makes progress at all; nothing here waits for it.
WAIT_S = 30


def make_sessions(clock: ManualClock, settle_timeout_s: float = WAIT_S) -> Sessions:
    return Sessions(
        mailbox=Mailbox(asyncio.get_running_loop()),
        counters=Counters(),
        sessions_max=2,
        settle_timeout_s=settle_timeout_s,
        clock=clock,
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def sessions(clock: ManualClock) -> Sessions:
    return make_sessions(clock)


@pytest.fixture
def home() -> Any:
    return FakeSpace()


async def events(outbox: SessionOutbox) -> list[Event]:
    return await asyncio.wait_for(outbox.take(), WAIT_S)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def busy(sessions: Sessions, home: Any) -> tuple[Session, SessionOutbox, InFlight]:
    """A session whose connection has 1..10 in flight."""
    outbox = SessionOutbox()
    session = await sessions.open(home, "mine", outbox)
    message = InFlight(1, 10, 100)
    session.admit(message)
    return session, outbox, message


def opening(sessions: Sessions, home: Any, outbox: SessionOutbox, claim: Claim | None = None) -> asyncio.Task[Session]:
    return asyncio.create_task(sessions.open(home, "mine", outbox, claim))


async def refusal(task: asyncio.Task[Session]) -> EngramError:
    with pytest.raises(EngramError) as caught:
        await asyncio.wait_for(task, WAIT_S)
    return caught.value


def settle(session: Session, home: Any, message: InFlight) -> None:
    home.durable["mine"] = message.last_sequence
    session.settle(message, CommitResult(1, message.count, message.count))


async def test_what_is_in_flight_settles_before_the_number_is_told(sessions: Sessions, home: Any) -> None:
    session, older, message = await busy(sessions, home)
    newer = SessionOutbox()
    task = opening(sessions, home, newer)
    await turns()
    assert older.finished
    assert not task.done()
    assert session.outbox is None
    settle(session, home, message)
    assert await asyncio.wait_for(task, WAIT_S) is session
    # And no ack of what the newer one has not sent.
    assert [event for event in await events(newer) if not isinstance(event, SessionAck)] == [Opened("mine", 10, 8, 0)]
    assert session.expected_sequence == 11


async def test_what_is_refused_in_flight_is_neither_told_to_the_newer_nor_counted(
    sessions: Sessions, home: Any
) -> None:
    session, _, message = await busy(sessions, home)
    newer = SessionOutbox()
    task = opening(sessions, home, newer)
    await turns()
    session.settle(message, Unavailable("the disk is full", code="disk_full"))
    await asyncio.wait_for(task, WAIT_S)
    assert await events(newer) == [Opened("mine", 0, 8, 0)]


async def test_what_does_not_settle_in_time_is_a_passing_refusal(clock: ManualClock, home: Any) -> None:
    sessions = make_sessions(clock, settle_timeout_s=0.0)
    session, older, message = await busy(sessions, home)
    error = await refusal(opening(sessions, home, SessionOutbox()))
    assert (type(error), error.code, error.value) == (Unavailable, "session_settling", "10")
    assert error.retry_after_ms
    assert older.finished
    assert session.claimant is None
    settle(session, home, message)
    newer = SessionOutbox()
    await sessions.open(home, "mine", newer)
    assert Opened("mine", 10, 8, 0) in await events(newer)


async def test_who_waits_is_taken_over_by_a_still_newer_one(sessions: Sessions, home: Any) -> None:
    session, _, message = await busy(sessions, home)
    second, third = SessionOutbox(), SessionOutbox()
    waiting = opening(sessions, home, second)
    await turns()
    newest = opening(sessions, home, third)
    assert (await refusal(waiting)).code == "session_taken_over"
    assert session.claimant is third
    settle(session, home, message)
    await asyncio.wait_for(newest, WAIT_S)
    assert session.outbox is third


async def test_who_leaves_while_waiting_leaves_nothing_behind(sessions: Sessions, home: Any) -> None:
    session, _, message = await busy(sessions, home)
    waiting = opening(sessions, home, SessionOutbox())
    await turns()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (session.claimant, session.outbox) == (None, None)
    settle(session, home, message)
    assert session.unused


async def test_one_that_waits_does_not_hold_up_other_sessions(sessions: Sessions, home: Any) -> None:
    await busy(sessions, home)
    waiting = opening(sessions, home, SessionOutbox())
    await turns()
    other = await asyncio.wait_for(sessions.open(home, "another", SessionOutbox()), WAIT_S)
    assert other.state is SessionState.ACTIVE
    waiting.cancel()


async def test_a_session_that_is_waited_for_does_not_expire_and_makes_no_room(
    sessions: Sessions, home: Any, clock: ManualClock
) -> None:
    session, _, message = await busy(sessions, home)
    waiting = opening(sessions, home, SessionOutbox())
    await turns()
    settle(session, home, message)
    # Settled, and the one that waits has not had its turn yet.
    clock.advance(10_000)
    assert sessions.expire() == 0
    assert not session.unused
    assert await asyncio.wait_for(waiting, WAIT_S) is session


async def test_a_session_closed_with_something_in_flight_is_still_found(sessions: Sessions, home: Any) -> None:
    """As after a drain that took too long: a new session of the name would know nothing of what is in flight."""
    session, _, message = await busy(sessions, home)
    session.move(SessionState.DRAINING)
    sessions.close(session)
    newer = SessionOutbox()
    task = opening(sessions, home, newer)
    await turns()
    assert not task.done()
    settle(session, home, message)
    assert await asyncio.wait_for(task, WAIT_S) is session
    assert Opened("mine", 10, 8, 0) in await events(newer)


async def test_answers_go_to_the_connection_that_asked(sessions: Sessions, home: Any) -> None:
    session = await sessions.open(home, "mine", SessionOutbox())
    stray = InFlight(1, 10, 100)
    session.admit(stray)
    stray.outbox = SessionOutbox()
    assert session.outbox is not None
    await events(session.outbox)
    settle(session, home, stray)
    own = InFlight(11, 11, 10)
    session.admit(own)
    session.settle(own, CommitResult(11, 11, 1))
    assert await events(session.outbox) == [SessionAck(AckStatus.ACCEPTED, 11, 11, 11, 11)]


async def test_who_comes_back_after_another_client_opened_the_session_is_refused(sessions: Sessions, home: Any) -> None:
    first, second = Claim(1), Claim(2)
    await sessions.open(home, "mine", SessionOutbox(), first)
    newer = SessionOutbox()
    session = await sessions.open(home, "mine", newer, second)
    error = await refusal(opening(sessions, home, SessionOutbox(), Claim(1, known_sequence=0)))
    assert (type(error), error.code) == (FailedPrecondition, "session_taken_over")
    # It has no effect on the one that is there.
    assert session.outbox is newer
    assert not newer.finished


async def test_who_comes_back_to_its_own_session_may_whatever_is_durable(sessions: Sessions, home: Any) -> None:
    session = await sessions.open(home, "mine", SessionOutbox(), Claim(1))
    message = InFlight(1, 10, 100)
    session.admit(message)
    settle(session, home, message)
    home.writers["mine"] = 1
    outbox = SessionOutbox()
    await sessions.open(home, "mine", outbox, Claim(1, known_sequence=0))
    assert Opened("mine", 10, 8, 0) in await events(outbox)


@pytest.mark.parametrize(("writer", "known", "refused"), [(1, 5, True), (2, 5, False), (1, 10, False), (0, 5, False)])
async def test_after_a_restart_who_stored_last_tells_whose_numbers_they_are(
    sessions: Sessions, home: Any, writer: int, known: int, refused: bool
) -> None:
    home.durable["mine"] = 10
    home.writers["mine"] = 2 if writer else 0
    task = opening(sessions, home, SessionOutbox(), Claim(writer or 1, known_sequence=known))
    if refused:
        assert (await refusal(task)).code == "session_taken_over"
        assert len(sessions) == 0
    else:
        await asyncio.wait_for(task, WAIT_S)


async def test_a_session_of_a_lost_future_is_refused_by_name(sessions: Sessions, home: Any) -> None:
    home.incarnation = "after the restore"
    error = await refusal(opening(sessions, home, SessionOutbox(), Claim(1, 5, "before it")))
    assert (type(error), error.code, error.field) == (FailedPrecondition, "other_incarnation", "incarnation")
    assert (error.value, error.limit) == ("before it", "after the restore")
    assert "restored, repaired or made anew" in error.message
    assert len(sessions) == 0


@pytest.mark.parametrize(("own", "told"), [("", "x"), ("x", ""), ("x", "x"), ("", "")])
async def test_only_incarnations_that_differ_are_refused(sessions: Sessions, home: Any, own: str, told: str) -> None:
    home.incarnation = own
    outbox = SessionOutbox()
    await sessions.open(home, "mine", outbox, Claim(1, 0, told))
    assert await events(outbox) == [Opened("mine", 0, 8, 0, own)]


async def test_a_status_of_another_kind_is_not_told_to_who_waits(sessions: Sessions, home: Any) -> None:
    """Its first event is the answer to its init."""
    session, _, message = await busy(sessions, home)
    newer = SessionOutbox()
    task = opening(sessions, home, newer)
    await turns()
    session.pass_watermark(0)
    sessions.tell_pressure("default", StreamState.ACTIVE, None)
    settle(session, home, message)
    await asyncio.wait_for(task, WAIT_S)
    assert isinstance((await events(newer))[0], Opened)

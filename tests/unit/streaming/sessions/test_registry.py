"""The sessions of a server: opened, resumed, taken over, expired, bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engram.errors import FailedPrecondition, InvalidInput, OverCapacity
from engram.metrics import table
from engram.metrics.samples import MetricSamples
from engram.model.operations.naming_errors import space_dropped
from engram.store.commit.queue import CommitResult
from engram.streaming.counters import Counters
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.sessions.acks import AckStatus, SessionAck
from engram.streaming.sessions.outbox import Event, Opened, SessionOutbox, StateChange, StreamState
from engram.streaming.sessions.registry import Sessions
from engram.streaming.sessions.session import InFlight
from engram.streaming.sessions.states import SessionState
from tests.doubles.fake_space import FakeSpace, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def sessions(clock: ManualClock) -> Sessions:
    return Sessions(
        mailbox=Mailbox(asyncio.get_running_loop()), counters=Counters(), sessions_max=3, idle_s_max=300.0, clock=clock
    )


def space(name: str = "default") -> Any:
    return FakeSpace(name)


async def events(outbox: SessionOutbox) -> list[Event]:
    return await asyncio.wait_for(outbox.take(), 60)


async def test_a_new_session_gets_an_id_and_starts_at_zero(sessions: Sessions) -> None:
    outbox = SessionOutbox()
    session = await sessions.open(space(), "", outbox)
    assert session.id
    assert session.state is SessionState.ACTIVE
    assert await events(outbox) == [Opened(session.id, 0, 8, 0)]
    assert (await sessions.open(space(), "", SessionOutbox())).id != session.id


async def test_sessions_and_those_with_a_connection_are_counted(sessions: Sessions, clock: ManualClock) -> None:
    def counted() -> tuple[float, float]:
        samples = MetricSamples(sessions.samples())
        return samples.value(table.ACTIVE_SESSIONS), samples.value(table.CONNECTIONS)

    assert counted() == (0, 0)
    first, second, third = SessionOutbox(), SessionOutbox(), SessionOutbox()
    left = await sessions.open(space(), "left", first)
    await sessions.open(space("other"), "stays", second)
    assert counted() == (2, 2)
    sessions.detach(left, first)
    assert counted() == (2, 1)
    taken = await sessions.open(space("other"), "stays", third)
    assert counted() == (2, 1), "a session that is taken over has one connection, the newer one"
    sessions.detach(taken, second)
    assert counted() == (2, 1), "the older one had none any more"
    taken.move(SessionState.DRAINING)
    sessions.close(taken)
    assert counted() == (1, 0)
    clock.now_s += 301.0
    sessions.expire()
    assert counted() == (0, 0)


async def test_an_unknown_id_is_resumed_from_what_the_space_has(sessions: Sessions) -> None:
    home = space()
    home.durable["mine"] = 41
    outbox = SessionOutbox()
    session = await sessions.open(home, "mine", outbox)
    assert await events(outbox) == [Opened("mine", 41, 8, 0), SessionAck(AckStatus.INDEXED, 1, 41, 0, 0)]
    assert session.expected_sequence == 42


async def test_sessions_with_one_id_in_two_spaces_are_strangers(sessions: Sessions) -> None:
    one = await sessions.open(space("one"), "same", SessionOutbox())
    other = await sessions.open(space("other"), "same", SessionOutbox())
    assert one is not other
    assert one.outbox is not None


async def test_the_newer_connection_wins_and_the_older_is_told(sessions: Sessions) -> None:
    home, older, newer = space(), SessionOutbox(), SessionOutbox()
    session = await sessions.open(home, "mine", older)
    assert await sessions.open(home, "mine", newer) is session
    told = await events(older)
    assert isinstance(told[-1], StateChange)
    assert told[-1].state is StreamState.ERROR
    assert told[-1].error is not None
    assert told[-1].error.code == "session_taken_over"
    assert older.finished
    assert older.error is None
    assert session.outbox is newer
    # The loss of the older connection changes nothing any more.
    sessions.detach(session, older)
    assert session.outbox is newer


async def test_a_silent_session_expires_and_can_still_be_resumed(sessions: Sessions, clock: ManualClock) -> None:
    home, outbox = space(), SessionOutbox()
    session = await sessions.open(home, "mine", outbox)
    clock.advance(299)
    assert sessions.expire() == 0
    session.touch()
    clock.advance(299)
    assert sessions.expire() == 0
    clock.advance(1)
    assert sessions.expire() == 1
    assert session.state is SessionState.EXPIRED
    assert len(sessions) == 0
    told = (await events(outbox))[-1]
    assert isinstance(told, StateChange)
    assert told.state is StreamState.CLOSED
    assert told.error is not None
    assert told.error.code == "session_expired"
    home.durable["mine"] = 7
    again = await sessions.open(home, "mine", SessionOutbox())
    assert again is not session
    assert again.durable_sequence == 7


async def test_a_session_with_something_in_flight_does_not_expire(sessions: Sessions, clock: ManualClock) -> None:
    session = await sessions.open(space(), "mine", SessionOutbox())
    message = InFlight(1, 1, 100)
    session.admit(message)
    clock.advance(1000)
    assert sessions.expire() == 0
    session.settle(message, CommitResult(1, 1, 1))
    assert sessions.expire() == 0
    clock.advance(300)
    assert sessions.expire() == 1


async def test_too_many_connected_sessions_are_refused(sessions: Sessions) -> None:
    for _ in range(3):
        await sessions.open(space(), "", SessionOutbox())
    with pytest.raises(OverCapacity) as caught:
        await sessions.open(space(), "", SessionOutbox())
    assert (caught.value.code, caught.value.limit) == ("too_many_sessions", "3")
    assert caught.value.retry_after_ms


async def test_unconnected_sessions_make_room_longest_idle_first(sessions: Sessions, clock: ManualClock) -> None:
    home = space()
    outboxes = {name: SessionOutbox() for name in ("a", "b", "c")}
    opened = {name: await sessions.open(home, name, outbox) for name, outbox in outboxes.items()}
    for name in ("b", "a"):
        sessions.detach(opened[name], outboxes[name])
        clock.advance(1)
    await sessions.open(home, "d", SessionOutbox())
    assert opened["b"].state is SessionState.EXPIRED
    assert opened["a"].state is SessionState.ACTIVE
    assert len(sessions) == 3


@pytest.mark.parametrize("name", ["x" * 65, "a\nb", "ü" * 33])
async def test_bad_session_ids_are_refused(sessions: Sessions, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await sessions.open(space(), name, SessionOutbox())
    assert caught.value.code == "invalid_session_id"


async def test_the_indexed_watermark_reaches_the_sessions_of_its_space(sessions: Sessions) -> None:
    home, outbox = space(), SessionOutbox()
    session = await sessions.open(home, "mine", outbox)
    for first in (1, 11):
        message = InFlight(first, first + 9, 100)
        session.admit(message)
        session.settle(message, CommitResult(first, first + 9, 10))
        await events(outbox)
        home.index_up_to(first + 9)
        told = await events(outbox)
        assert [(e.status.value, e.last_sequence) for e in told if isinstance(e, SessionAck)] == [
            ("indexed", first + 9)
        ]
    # Whoever resumes may have lost that with its connection.
    again = SessionOutbox()
    await sessions.open(home, "mine", again)
    told = await events(again)
    assert [(e.status.value, e.last_sequence) for e in told if isinstance(e, SessionAck)] == [("indexed", 20)]


async def test_a_closed_session_is_gone(sessions: Sessions) -> None:
    session = await sessions.open(space(), "mine", SessionOutbox())
    session.move(SessionState.DRAINING)
    sessions.close(session)
    assert session.state is SessionState.CLOSED
    assert len(sessions) == 0


async def test_sessions_end_with_their_space(sessions: Sessions) -> None:
    home, other = space(), space("other")
    first, second, third = SessionOutbox(), SessionOutbox(), SessionOutbox()
    session = await sessions.open(home, "mine", first)
    await sessions.open(home, "yours", second)
    await sessions.open(other, "mine", third)
    home.life.end(space_dropped("default"))
    for outbox in (first, second):
        ended = (await until_finished(outbox))[-1]
        assert isinstance(ended, StateChange)
        assert (ended.state, ended.error and ended.error.code) == (StreamState.ERROR, "space_dropped")
        assert outbox.finished
    assert (len(sessions), session.outbox, third.finished) == (1, None, False)
    with pytest.raises(FailedPrecondition) as refusal:
        await sessions.open(home, "mine", SessionOutbox())
    assert refusal.value.code == "space_dropped"


async def until_finished(outbox: SessionOutbox) -> list[Event]:
    found: list[Event] = []
    while taken := await events(outbox):
        found += taken
    return found


async def test_a_session_of_a_namesake_begins_anew_before_anybody_was_told(sessions: Sessions) -> None:
    home = space()
    home.durable["mine"] = 41
    outbox = SessionOutbox()
    former = await sessions.open(home, "mine", outbox)
    home.life.end(space_dropped("default"))
    # What the mailbox holds has not been delivered yet.
    session = await sessions.open(space(), "mine", SessionOutbox())
    assert session is not former
    assert (former.durable_sequence, session.durable_sequence) == (41, 0)
    assert outbox.finished
    await asyncio.sleep(0)
    assert len(sessions) == 1


async def test_who_waits_for_a_session_whose_space_ends_is_told_why(sessions: Sessions) -> None:
    home = space()
    session = await sessions.open(home, "mine", SessionOutbox())
    session.admit(InFlight(1, 1, 10))
    waiting = asyncio.create_task(sessions.open(home, "mine", SessionOutbox()))
    await asyncio.sleep(0)
    home.life.end(space_dropped("default"))
    with pytest.raises(FailedPrecondition) as refusal:
        await waiting
    assert refusal.value.code == "space_dropped"
    assert len(sessions) == 0

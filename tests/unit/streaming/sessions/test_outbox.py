"""The outbox: order, merging, holding, ending."""

from __future__ import annotations

import asyncio

from engram.errors import InvalidInput, Unavailable
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.sessions.acks import AckStatus, SessionAck
from engram.streaming.sessions.outbox import Event, SessionOutbox, StateChange, StreamState
from engram.streaming.sessions.send_rate import SendRate


def ack(status: AckStatus, first: int, last: int, generation: int = 0) -> SessionAck:
    return SessionAck(status, first, last, generation or first, (generation or first) + last - first)


def accepted(first: int, last: int, generation: int = 0) -> SessionAck:
    return ack(AckStatus.ACCEPTED, first, last, generation)


def rejected(first: int) -> SessionAck:
    return SessionAck(AckStatus.REJECTED, first, first, error=InvalidInput("no"))


async def taken(outbox: SessionOutbox) -> list[Event]:
    return await asyncio.wait_for(outbox.take(), 60)


async def test_accepted_acks_merge_into_one_cumulative_ack() -> None:
    outbox = SessionOutbox()
    outbox.put(accepted(1, 10, generation=5))
    outbox.put(accepted(11, 12, generation=40))
    outbox.put(accepted(13, 13, generation=42))
    assert await taken(outbox) == [SessionAck(AckStatus.ACCEPTED, 1, 13, 5, 42)]


async def test_acks_across_a_gap_do_not_merge() -> None:
    outbox = SessionOutbox()
    outbox.put(accepted(1, 10))
    outbox.put(accepted(5, 6))
    assert len(await taken(outbox)) == 2


async def test_a_rejection_stays_between_its_neighbours() -> None:
    outbox = SessionOutbox()
    outbox.put(accepted(1, 1))
    outbox.put(rejected(2))
    outbox.put(rejected(3))
    outbox.put(accepted(2, 2))
    events = await taken(outbox)
    assert [event.status for event in events if isinstance(event, SessionAck)] == [
        AckStatus.ACCEPTED,
        AckStatus.REJECTED,
        AckStatus.REJECTED,
        AckStatus.ACCEPTED,
    ]


async def test_indexed_comes_after_the_acks_and_merges_over_them() -> None:
    outbox = SessionOutbox()
    outbox.put(accepted(1, 1))
    outbox.put(ack(AckStatus.INDEXED, 1, 1))
    outbox.put(accepted(2, 2))
    outbox.put(ack(AckStatus.INDEXED, 2, 2))
    assert await taken(outbox) == [accepted(1, 2), ack(AckStatus.INDEXED, 1, 2)]


async def test_a_status_comes_after_the_indexed_ack_before_it() -> None:
    outbox = SessionOutbox()
    outbox.put(ack(AckStatus.INDEXED, 1, 1))
    outbox.put(StateChange(StreamState.CLOSED))
    outbox.finish()
    assert await taken(outbox) == [ack(AckStatus.INDEXED, 1, 1), StateChange(StreamState.CLOSED)]
    assert await taken(outbox) == []


async def test_a_held_outbox_lets_only_statuses_and_rejections_out() -> None:
    outbox = SessionOutbox()
    outbox.put(StateChange(StreamState.PAUSED))
    outbox.hold()
    outbox.put(accepted(1, 1))
    outbox.put(ack(AckStatus.INDEXED, 1, 1))
    refusal = rejected(2)
    outbox.put(refusal)
    assert await taken(outbox) == [StateChange(StreamState.PAUSED), refusal]
    outbox.put(accepted(2, 2))
    outbox.put(StateChange(StreamState.ACTIVE))
    assert await taken(outbox) == [StateChange(StreamState.ACTIVE)]
    outbox.release()
    assert await taken(outbox) == [accepted(1, 2), ack(AckStatus.INDEXED, 1, 1)]


async def test_nothing_is_taken_after_the_end_but_what_was_put_before() -> None:
    outbox = SessionOutbox()
    outbox.hold()
    outbox.put(accepted(1, 1))
    reason = Unavailable("gone")
    outbox.finish(reason)
    outbox.finish(Unavailable("later"))
    outbox.put(accepted(2, 2))
    assert await taken(outbox) == [accepted(1, 1)]
    assert await taken(outbox) == []
    assert outbox.error is reason


async def test_a_waiting_writer_is_woken() -> None:
    outbox = SessionOutbox()
    writer = asyncio.create_task(taken(outbox))
    await asyncio.sleep(0)
    outbox.put(accepted(1, 1))
    assert await writer == [accepted(1, 1)]


async def test_the_reader_waits_while_too_much_is_unsent() -> None:
    outbox = SessionOutbox()
    await asyncio.wait_for(outbox.room(), 60)
    for sequence in range(256):
        outbox.put(rejected(sequence + 1))
    reader = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not reader.done()
    await taken(outbox)
    await asyncio.wait_for(reader, 60)


async def test_a_pace_lets_acks_wait_and_merge_but_not_statuses() -> None:
    outbox = SessionOutbox()
    outbox.set_rate(lambda rate: rate.prefer(1.0))
    outbox.put(accepted(1, 1))
    assert await taken(outbox) == [accepted(1, 1)]
    outbox.put(accepted(2, 2))
    outbox.put(ack(AckStatus.INDEXED, 1, 1))
    refusal = rejected(9)
    outbox.put(refusal)
    assert await taken(outbox) == [refusal]
    outbox.put(accepted(3, 3))
    outbox.put(StateChange(StreamState.ERROR))
    assert await taken(outbox) == [StateChange(StreamState.ERROR)]
    outbox.set_rate(SendRate.speed_up)
    assert await taken(outbox) == [accepted(2, 3), ack(AckStatus.INDEXED, 1, 1)]


async def test_the_writer_is_woken_when_its_time_has_come() -> None:
    outbox = SessionOutbox()
    outbox.set_rate(lambda rate: rate.prefer(100.0))
    outbox.put(accepted(1, 1))
    await taken(outbox)
    outbox.put(accepted(2, 2))
    assert await taken(outbox) == [accepted(2, 2)]
    await asyncio.wait_for(outbox.wait_for_send_slot(), 60)


async def test_results_wait_for_their_turn_with_the_acks() -> None:
    outbox = SessionOutbox()
    outbox.set_rate(lambda rate: rate.prefer(1.0))
    await asyncio.wait_for(outbox.wait_for_send_slot(), 60)
    outbox.put(accepted(1, 1))
    writer = asyncio.create_task(outbox.take())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not writer.done()
    outbox.set_rate(lambda rate: rate.prefer(1e9))
    assert await asyncio.wait_for(writer, 60) == [accepted(1, 1)]


async def test_what_waits_goes_before_the_end() -> None:
    outbox = SessionOutbox()
    outbox.hold()
    outbox.put(accepted(1, 1))
    outbox.put(ack(AckStatus.INDEXED, 1, 1))
    outbox.put(StateChange(StreamState.CLOSED))
    outbox.finish()
    assert await taken(outbox) == [accepted(1, 1), ack(AckStatus.INDEXED, 1, 1), StateChange(StreamState.CLOSED)]


async def test_only_the_latest_about_pressure_is_told() -> None:
    outbox = SessionOutbox()
    for state in (StreamState.BACKPRESSURE, StreamState.OVERLOADED, StreamState.ACTIVE):
        outbox.put_pressure(StateChange(state))
    assert await taken(outbox) == [StateChange(StreamState.ACTIVE)]


async def test_closed_is_the_last_word() -> None:
    outbox = SessionOutbox()
    outbox.put_pressure(StateChange(StreamState.OVERLOADED))
    outbox.put(StateChange(StreamState.CLOSED))
    outbox.finish()
    assert await taken(outbox) == [StateChange(StreamState.CLOSED)]


async def test_what_is_kept_back_is_bounded() -> None:
    outbox = SessionOutbox()
    outbox.hold()
    # Acks of the same duplicate, again and again, do not merge.
    for _ in range(257):
        outbox.put(accepted(1, 1))
    room = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not room.done()
    assert await taken(outbox) == [accepted(1, 1)] * 256
    await asyncio.wait_for(room, 60)


class Writer:
    """Notes what it is to write, and waits while it is told to."""

    def __init__(self) -> None:
        self.written: list[list[Event]] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def write(self, events: list[Event]) -> None:
        self.written.append(events)
        await self.may_end.wait()


async def test_what_one_delivery_brings_is_written_when_it_ends() -> None:
    loop = asyncio.get_running_loop()
    mailbox, writer = Mailbox(loop), Writer()
    outbox = SessionOutbox(mailbox)
    writing = loop.create_task(outbox.hand_to(writer.write))
    await asyncio.sleep(0)
    counts: list[int] = []

    def count(_: None = None) -> None:
        counts.append(len(writer.written))

    def count_soon(_: None) -> None:
        loop.call_soon(count)

    mailbox.post(outbox.put, accepted(1, 1))
    mailbox.post(outbox.put, accepted(2, 3))
    mailbox.post(count, None)
    mailbox.post(count_soon, None)
    while len(counts) < 2:  # noqa: ASYNC110 - turns of the event loop.
        await asyncio.sleep(0)
    # Both together, and before the writer's task could have had its turn.
    assert counts == [0, 1]
    assert writer.written == [[accepted(1, 3)]]
    outbox.finish()
    await writing


async def test_a_delivery_overtakes_nothing_that_is_still_written() -> None:
    loop = asyncio.get_running_loop()
    mailbox, writer = Mailbox(loop), Writer()
    outbox = SessionOutbox(mailbox)
    writing = loop.create_task(outbox.hand_to(writer.write))
    writer.may_end.clear()
    outbox.put(rejected(1))
    for number in (2, 3):
        delivered = loop.create_future()
        mailbox.post(outbox.put, rejected(number))
        mailbox.post(delivered.set_result, None)
        await delivered
    assert len(writer.written) == 1
    writer.may_end.set()
    outbox.finish()
    await writing
    assert [len(events) for events in writer.written] == [1, 2]


async def test_who_takes_events_itself_gets_those_of_a_delivery() -> None:
    mailbox = Mailbox(asyncio.get_running_loop())
    outbox = SessionOutbox(mailbox)
    mailbox.post(outbox.put, accepted(1, 1))
    assert await taken(outbox) == [accepted(1, 1)]

"""Requests in parts: they are whole again, wait for room, and leave none taken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engram.errors import EngramError, InvalidInput, OverCapacity
from engram.model.limits import MESSAGE_BYTES_MAX, PART_BYTES_MAX
from engram.server.malformed import Malformed
from engram.server.protobuf import message_parts
from engram.server.protobuf.message_parts import MessageParts
from engram.server.protobuf.observe_message import ObserveMessage
from engram.streaming.pressure import receiving
from engram.streaming.pressure.receiving import UNCOUNTED_BYTES, Arriving, ReceiveBudget
from engram.wire import engram_pb2 as pb
from tests.doubles.waiting import TIMEOUT_S

OTHER = ObserveMessage(pb.ObservationRequest(close=pb.StreamClose()))
LARGE = pb.ObservationRequest(sequence_number=7, batch=pb.ObservationBatch(contents=["x" * 100_000] * 3))


def part(data: bytes, message_bytes: int = 0) -> ObserveMessage:
    return ObserveMessage(pb.ObservationRequest(part=pb.MessagePart(message_bytes=message_bytes, data=data)))


def parts_of(data: bytes, size: int) -> list[ObserveMessage]:
    return [part(data[at : at + size], 0 if at else len(data)) for at in range(0, len(data), size)]


def given_up(_: EngramError) -> None:
    raise AssertionError("the stream was given up")


@pytest.mark.parametrize("size", [1_000, 99_999, PART_BYTES_MAX])
async def test_parts_are_the_request(size: int) -> None:
    budget = ReceiveBudget(MESSAGE_BYTES_MAX)
    parts = MessageParts(budget, given_up)
    for _ in range(2):
        *first, last = parts_of(LARGE.SerializeToString(), size)
        for one in first:
            assert await parts.take(one) is None
            assert budget.nbytes == LARGE.ByteSize() - UNCOUNTED_BYTES
        whole = await parts.take(last)
        assert isinstance(whole, ObserveMessage)
        assert whole.request == LARGE
        assert parts.has_room
        assert budget.nbytes == LARGE.ByteSize() - UNCOUNTED_BYTES, "until it is counted elsewhere"
        parts.release()
        assert not parts.has_room
        assert budget.nbytes == 0


async def test_other_messages_are_handed_on() -> None:
    parts = MessageParts(ReceiveBudget(0), given_up)
    malformed = Malformed(InvalidInput("no message"))
    assert await parts.take(OTHER) is OTHER
    assert await parts.take(malformed) is malformed


async def test_parts_of_what_is_no_request_are_malformed() -> None:
    parts = MessageParts(ReceiveBudget(0), given_up)
    assert await parts.take(part(b"\xff", 2)) is None
    assert isinstance(await parts.take(part(b"\xff")), Malformed)


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"", 10)],
        [part(b"x")],
        [part(b"xx", 1)],
        [part(b"x", MESSAGE_BYTES_MAX + 1)],
        [part(bytes(PART_BYTES_MAX + 1), PART_BYTES_MAX + 2)],
        [part(b"x", 10), part(b"")],
        [part(b"x", 10), part(b"x", 10)],
        [part(b"x", 10), part(bytes(10))],
        [part(b"x", 10), OTHER],
        [part(b"x", 10), Malformed(InvalidInput("no message"))],
    ],
    ids=["empty", "no size", "too small", "too large", "large part", "empty next", "two", "too much", "other", "none"],
)
async def test_what_cannot_follow_is_refused(messages: list[Any]) -> None:
    parts = MessageParts(ReceiveBudget(MESSAGE_BYTES_MAX), given_up)
    *first, last = messages
    for message in first:
        assert await parts.take(message) is None
    with pytest.raises(InvalidInput) as caught:
        await parts.take(last)
    assert (caught.value.code, caught.value.field) == ("message_parts", "part")
    assert caught.value.limit
    assert caught.value.value


async def test_a_request_waits_until_there_is_room() -> None:
    budget = ReceiveBudget(LARGE.ByteSize())
    other = Arriving(budget)
    other.hold(LARGE.ByteSize())
    parts = MessageParts(budget, given_up)
    first, *rest = parts_of(LARGE.SerializeToString(), 200_000)
    taking = asyncio.create_task(parts.take(first))
    await asyncio.sleep(0)
    assert not taking.done()
    other.release()
    assert await taking is None
    for one in rest:
        whole = await parts.take(one)
    assert isinstance(whole, ObserveMessage)


async def test_a_request_for_which_there_is_no_room_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_ROOM_TIMEOUT_S", 0.0)
    budget = ReceiveBudget(LARGE.ByteSize())
    Arriving(budget).hold(LARGE.ByteSize())
    parts = MessageParts(budget, given_up)
    with pytest.raises(OverCapacity) as caught:
        await parts.take(parts_of(LARGE.SerializeToString(), 200_000)[0])
    assert caught.value.code == "unfinished_bytes"
    assert budget.nbytes == LARGE.ByteSize() - UNCOUNTED_BYTES


async def test_a_stream_that_ends_leaves_no_room_taken() -> None:
    budget = ReceiveBudget(MESSAGE_BYTES_MAX)
    parts = MessageParts(budget, given_up)
    await parts.take(parts_of(LARGE.SerializeToString(), 100_000)[0])
    parts.release()
    parts.release()
    assert budget.nbytes == 0
    assert await parts.take(OTHER) is OTHER


async def test_a_request_whose_rest_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_parts, "_SILENCE_MAX_S", 0.0)
    told: asyncio.Future[EngramError] = asyncio.get_running_loop().create_future()
    parts = MessageParts(ReceiveBudget(MESSAGE_BYTES_MAX), told.set_result)
    await parts.take(part(b"x", 10))
    assert (await asyncio.wait_for(told, TIMEOUT_S)).code == "message_parts_timeout"

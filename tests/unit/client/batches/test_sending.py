"""Many observations of a client: they are sent in parts, and answered as one."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from engram.client.batches.sending import observe_many, submit_many
from engram.client.sending.observe_session import ObserveSession
from engram.client.sending.send_buffer import OutboxLimits
from engram.client.sending.stream_options import StreamOptions
from engram.client.transport import Refused
from engram.errors import InvalidInput, OverCapacity
from engram.model.ack import Ack
from engram.model.arguments import ManyObservations, take_observations
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig
from tests.unit.client.fake_transport import FakeConnection, FakeServer

COUNT = 2 * BATCH_COUNT_MAX + 1
WAIT_S = 10.0


class Sending:
    """A session under test, as a client adds to it."""

    def __init__(self, server: FakeServer, limits: OutboxLimits | None = None, rows_max: int = BATCH_COUNT_MAX) -> None:
        self.sent: list[int] = []

        def encode(batch: ObservationBatch) -> list[str]:
            if len(batch) > rows_max:
                raise InvalidInput("too large", code="message_bytes")
            self.sent.append(len(batch))
            return list(batch.ids)

        self.session = ObserveSession(
            server, SpaceConfig("test", dim=1), encode, limits=limits or OutboxLimits(), options=StreamOptions()
        )

    async def add(self, answer: Any, batch: ObservationBatch) -> None:
        pending = self.session.add(answer, batch)
        if pending is not None:
            await pending.add_when_room(0.05)

    async def observe(self, observations: ManyObservations) -> Ack:
        return await observe_many(self.session, self.add, observations, WAIT_S)

    async def submit(self, observations: ManyObservations) -> asyncio.Future[Ack]:
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        await submit_many(self.session, self.add, observations, future)
        return future


def many(count: int = COUNT, *, last: float = 1.0) -> ManyObservations:
    vectors = np.ones((count, 1), np.float32)
    vectors[-1:] = last
    return ManyObservations([f"id-{row}" for row in range(count)], vectors, None, {})


async def test_they_are_stored_in_parts_in_their_order() -> None:
    server = FakeServer()
    sending = Sending(server)
    ack = await sending.observe(many())
    assert (ack.count, ack.last_generation, ack.exact) == (COUNT, COUNT, True)
    assert sending.sent == [BATCH_COUNT_MAX, BATCH_COUNT_MAX, 1]
    assert server.stored == [f"id-{row}" for row in range(COUNT)]
    await sending.session.drain(WAIT_S)


async def test_a_future_is_done_when_all_of_them_are_stored() -> None:
    server = FakeServer()
    sending = Sending(server)
    future = await sending.submit(many())
    assert sending.sent == [BATCH_COUNT_MAX, BATCH_COUNT_MAX, 1]
    ack = await asyncio.wait_for(future, WAIT_S)
    assert (ack.count, ack.first_sequence, ack.last_sequence) == (COUNT, 1, COUNT)
    await sending.session.flush(WAIT_S, WAIT_S)
    await sending.session.drain(WAIT_S)


@pytest.mark.parametrize("call", ["observe", "submit"])
@pytest.mark.parametrize("count", [3, COUNT])
async def test_the_answer_has_all_ids_that_were_made_up(call: str, count: int) -> None:
    server = FakeServer()
    sending = Sending(server)
    observations = take_observations((), {"vectors": np.ones((count, 1), np.float32)})
    assert isinstance(observations, ManyObservations)
    answer = await getattr(sending, call)(observations)
    ack = answer if call == "observe" else await asyncio.wait_for(answer, WAIT_S)
    assert (ack.count, ack.ids, server.stored) == (count, observations.made_ids, list(observations.made_ids))
    await sending.session.drain(WAIT_S)


@pytest.mark.parametrize("call", ["observe", "submit"])
async def test_what_is_too_large_for_a_message_is_halved(call: str) -> None:
    server = FakeServer()
    sending = Sending(server, rows_max=3)
    answer = await getattr(sending, call)(many(10))
    ack = answer if call == "observe" else await asyncio.wait_for(answer, WAIT_S)
    assert (ack.count, sending.sent) == (10, [2, 3, 2, 3])
    await sending.session.drain(WAIT_S)


@pytest.mark.parametrize("call", ["observe", "submit"])
@pytest.mark.parametrize(
    ("observations", "field"),
    [(many(last=np.nan), f"embedding[{COUNT - 1}][0]"), (many(3, last=np.nan), "embedding[2][0]"), (many(0), "batch")],
    ids=["many", "few", "none"],
)
async def test_nothing_is_sent_of_what_is_refused(call: str, observations: ManyObservations, field: str) -> None:
    sending = Sending(FakeServer())
    with pytest.raises(InvalidInput) as caught:
        await getattr(sending, call)(observations)
    assert (caught.value.field, caught.value.stored_count, sending.sent) == (field, 0, [])
    await sending.session.drain(WAIT_S)


@pytest.mark.parametrize("call", ["observe", "submit"])
async def test_a_refusal_says_how_many_are_stored_all_the_same(call: str) -> None:
    server = FakeServer()
    sending = Sending(server)

    def refuse(connection: FakeConnection, payload: list[str], first: int) -> bool:
        if payload[0] == f"id-{BATCH_COUNT_MAX}":
            error = InvalidInput("no", code="not_storable")
            connection.events.put_nowait(Refused(first, first + len(payload) - 1, error))
            return True
        return False

    server.on_message = refuse

    async def send() -> None:
        answer = await getattr(sending, call)(many())
        await asyncio.wait_for(answer, WAIT_S)

    with pytest.raises(InvalidInput) as caught:
        await send()
    assert (caught.value.code, caught.value.stored_count) == ("not_storable", BATCH_COUNT_MAX)
    await sending.session.drain(WAIT_S)


async def test_what_finds_no_room_is_told_by_the_future_and_by_flush() -> None:
    server = FakeServer()
    held: list[tuple[FakeConnection, list[str], int]] = []
    first_held = asyncio.Event()

    def hold(connection: FakeConnection, payload: list[str], first: int) -> bool:
        held.append((connection, payload, first))
        first_held.set()
        return True

    server.on_message = hold
    sending = Sending(server, OutboxLimits(count_max=BATCH_COUNT_MAX))
    future = await sending.submit(many())
    assert not future.done()
    await asyncio.wait_for(first_held.wait(), WAIT_S)
    for message in held:
        server.store(*message)
    with pytest.raises(OverCapacity) as caught:
        await asyncio.wait_for(future, WAIT_S)
    assert (caught.value.code, caught.value.stored_count) == ("buffer_full", BATCH_COUNT_MAX)
    with pytest.raises(OverCapacity):
        await sending.session.flush(WAIT_S, WAIT_S)
    await sending.session.drain(WAIT_S)

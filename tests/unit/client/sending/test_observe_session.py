"""What a session takes from its caller."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from engram.client.sending.observe_session import ObserveSession
from engram.client.sending.send_buffer import OutboxLimits
from engram.client.sending.stream_options import StreamOptions
from engram.errors import FailedPrecondition
from engram.model.ack import Ack
from engram.model.arguments import ManyObservations, OneObservation
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig
from tests.unit.client.fake_transport import FakeServer


async def test_the_caller_may_change_its_vectors_once_they_are_handed_over() -> None:
    encoded: list[ObservationBatch] = []

    def encode(batch: ObservationBatch) -> list[str]:
        encoded.append(batch)
        return list(batch.ids)

    session = ObserveSession(
        FakeServer(), SpaceConfig("test", dim=8), encode, limits=OutboxLimits(), options=StreamOptions()
    )
    vectors = np.ones((2, 8), np.float32)
    future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
    assert session.add(future, ManyObservations(["a", "b"], vectors, None, {}).batch(session.config)) is None
    vectors[:] = 7
    assert (encoded[0].vectors == 1).all()
    await session.drain(5)


async def test_what_finds_room_is_added_at_once_and_the_rest_says_how_to_wait() -> None:
    session = ObserveSession(
        FakeServer(),
        SpaceConfig("test", dim=8),
        lambda batch: list(batch.ids),
        limits=OutboxLimits(count_max=2),
        options=StreamOptions(),
    )
    one, many = (asyncio.get_running_loop().create_future() for _ in range(2))
    vector = np.ones(8, np.float32)
    assert session.add(one, OneObservation("a", vector, "", {})) is None
    pending = session.add(many, ManyObservations(["b", "c"], [vector] * 2, None, {}).batch(session.config))
    assert pending is not None
    assert (pending.held(), session.outbox.count) == (1, 1)
    late = session.add(asyncio.get_running_loop().create_future(), OneObservation("d", vector, "", {}))
    assert late is None
    more = session.add(asyncio.get_running_loop().create_future(), OneObservation("e", vector, "", {}))
    assert more is not None
    await pending.add_when_room(60)
    await more.add_when_room(60)
    await session.drain(60)
    assert [ack.count for ack in (await one, await many)] == [1, 2]


async def test_a_session_is_that_of_one_event_loop_until_it_has_ended() -> None:
    session = ObserveSession(
        FakeServer(),
        SpaceConfig("test", dim=8),
        lambda batch: list(batch.ids),
        limits=OutboxLimits(),
        options=StreamOptions(),
    )
    assert session.here() is session
    with pytest.raises(FailedPrecondition) as refused:
        await asyncio.to_thread(asyncio.run, session.drain(5))
    assert (refused.value.code, refused.value.field) == ("other_event_loop", "event loop")
    await session.drain(5)
    assert session.ended
    await asyncio.to_thread(asyncio.run, session.drain(5))

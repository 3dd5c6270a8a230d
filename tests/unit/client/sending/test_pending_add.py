"""What finds no room waits for it, for as long as its caller does."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from engram.client.sending.pending_add import PendingAdd
from engram.errors import OverCapacity


class Buffer:
    """A buffer that has room once `free` was called often enough."""

    def __init__(self, needed: int) -> None:
        self.needed = needed
        self.tries = 0
        self.waiters: list[Future[None]] = []
        self.asked = asyncio.Event()

    def try_add(self) -> bool:
        self.tries += 1
        return self.needed == 0

    def room(self) -> Future[None]:
        self.waiters.append(Future())
        self.asked.set()
        return self.waiters[-1]

    def free(self) -> None:
        self.needed -= 1
        self.waiters[-1].set_result(None)

    def pending(self) -> PendingAdd:
        return PendingAdd(self.try_add, self.room, lambda: 7)


async def test_it_is_added_when_there_is_room_and_tried_again_if_another_was_faster() -> None:
    buffer = Buffer(needed=2)
    adding = asyncio.create_task(buffer.pending().add_when_room(60))
    for _ in range(2):
        await buffer.asked.wait()
        buffer.asked.clear()
        assert not adding.done()
        buffer.free()
    await adding
    assert buffer.tries == 3


async def test_without_room_in_time_it_is_refused_and_no_longer_waits() -> None:
    buffer = Buffer(needed=1)
    with pytest.raises(OverCapacity, match="7 observations are not answered") as caught:
        await buffer.pending().add_when_room(0)
    assert (caught.value.code, caught.value.field, caught.value.limit) == ("buffer_full", "timeout_s", "0")
    assert all(waiter.cancelled() for waiter in buffer.waiters)

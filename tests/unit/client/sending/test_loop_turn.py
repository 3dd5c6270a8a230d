"""A turn is one at a time, on one event loop after the other."""

from __future__ import annotations

import asyncio

from engram.client.sending.loop_turn import LoopTurn


def test_one_has_its_turn_after_the_other_on_every_event_loop() -> None:
    turn = LoopTurn()
    told: list[str] = []

    async def take(name: str) -> None:
        async with turn.taken():
            told.append(f"{name} begins")
            await asyncio.sleep(0)
            told.append(f"{name} ends")

    async def take_both() -> None:
        await asyncio.gather(take("first"), take("second"))

    # Somebody waits on each, which binds a lock of asyncio to its event loop.
    asyncio.run(take_both())
    asyncio.run(take_both())
    assert told == ["first begins", "first ends", "second begins", "second ends"] * 2

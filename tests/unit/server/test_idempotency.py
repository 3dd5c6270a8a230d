"""Keys of writes: the first answer again, for a while, within bounds."""

from __future__ import annotations

import asyncio

import pytest

from engram.errors import FailedPrecondition, InvalidInput, OverCapacity
from engram.server.idempotency import IdempotencyKeys


class Writes:
    """Writes that are counted, and answered with their number."""

    def __init__(self) -> None:
        self.count = 0
        self.begun = asyncio.Event()
        self.held: asyncio.Event | None = None
        self.failure: Exception | None = None

    async def __call__(self) -> bytes:
        self.count += 1
        number = self.count
        self.begun.set()
        if self.held is not None:
            await self.held.wait()
        if self.failure is not None:
            raise self.failure
        return b"%d" % number


async def test_the_first_answer_is_the_answer_of_all() -> None:
    keys, writes = IdempotencyKeys(), Writes()
    assert await keys.once("a", "k", b"1", writes) == (b"1", False)
    assert await keys.once("a", "k", b"1", writes) == (b"1", True)
    assert await keys.once("b", "k", b"2", writes) == (b"2", False), "each space has its own keys"
    with pytest.raises(FailedPrecondition) as caught:
        await keys.once("a", "k", b"2", writes)
    assert caught.value.code == "idempotency_key_reused"


async def test_writes_at_once_wait_for_the_first_and_one_of_them_goes_on_if_it_fails() -> None:
    keys, writes = IdempotencyKeys(), Writes()
    writes.held, writes.failure = asyncio.Event(), ValueError("lost")
    tasks = [asyncio.create_task(keys.once("a", "k", b"1", writes)) for _ in range(4)]
    await writes.begun.wait()
    assert writes.count == 1
    tasks[1].cancel()
    await asyncio.sleep(0)
    writes.held.set()
    with pytest.raises(ValueError, match="lost"):
        await tasks[0]
    writes.failure = None
    answers = await asyncio.gather(*tasks[2:])
    assert [answer for answer, _ in answers] == [b"2", b"2"]
    assert sorted(is_old for _, is_old in answers) == [False, True]


async def test_a_first_write_that_nobody_waits_for_any_more_is_finished() -> None:
    keys, writes = IdempotencyKeys(), Writes()
    writes.held = asyncio.Event()
    first = asyncio.create_task(keys.once("a", "k", b"1", writes))
    await writes.begun.wait()
    first.cancel()
    await asyncio.wait({first})
    second = asyncio.create_task(keys.once("a", "k", b"1", writes))
    await asyncio.sleep(0)
    writes.held.set()
    assert await second == (b"1", True)


async def test_a_write_that_is_ended_itself_leaves_no_trace() -> None:
    keys, writes = IdempotencyKeys(), Writes()

    async def ended() -> bytes:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await keys.once("a", "k", b"1", ended)
    assert await keys.once("a", "k", b"2", writes) == (b"1", False)


async def test_keys_are_forgotten_after_a_while_and_the_oldest_for_want_of_room() -> None:
    now_s = [0.0]
    keys, writes = IdempotencyKeys(2, 100.0, lambda: now_s[0]), Writes()
    await keys.once("a", "k1", b"1", writes)
    now_s[0] = 99.0
    assert await keys.once("a", "k1", b"1", writes) == (b"1", True)
    now_s[0] = 100.0
    assert await keys.once("a", "k1", b"2", writes) == (b"2", False)
    await keys.once("a", "k2", b"3", writes)
    await keys.once("a", "k3", b"4", writes)
    assert await keys.once("a", "k2", b"3", writes) == (b"3", True)
    assert await keys.once("a", "k1", b"2", writes) == (b"5", False)


async def test_writes_under_way_are_not_forgotten() -> None:
    keys, writes = IdempotencyKeys(1), Writes()
    writes.held = asyncio.Event()
    first = asyncio.create_task(keys.once("a", "k1", b"1", writes))
    await asyncio.sleep(0)
    with pytest.raises(OverCapacity):
        await keys.once("a", "k2", b"2", writes)
    writes.held.set()
    assert await first == (b"1", False)


async def test_a_write_that_takes_long_keeps_no_other_from_being_forgotten() -> None:
    now_s = [0.0]
    keys, slow, writes = IdempotencyKeys(2, 100.0, lambda: now_s[0]), Writes(), Writes()
    slow.held = asyncio.Event()
    first = asyncio.create_task(keys.once("a", "k1", b"1", slow))
    await slow.begun.wait()
    assert await keys.once("a", "k2", b"2", writes) == (b"1", False)
    assert await keys.once("a", "k3", b"3", writes) == (b"2", False)
    assert await keys.once("a", "k3", b"3", writes) == (b"2", True)
    now_s[0] = 150.0
    assert await keys.once("a", "k3", b"4", writes) == (b"3", False)
    slow.held.set()
    assert await first == (b"1", False)
    assert await keys.once("a", "k1", b"1", slow) == (b"2", False), "what was begun so long ago is over"


@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "x" * 256, "a\n"])
async def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await IdempotencyKeys().once("a", key, b"1", Writes())
    assert caught.value.code == "invalid_idempotency_key"


async def test_the_keys_of_a_space_that_is_no_more_are_free() -> None:
    keys, writes = IdempotencyKeys(), Writes()
    await keys.once("a", "k", b"1", writes)
    await keys.once("b", "k", b"1", writes)
    keys.forget("a")
    keys.forget("nowhere")
    assert await keys.once("a", "k", b"2", writes) == (b"3", False)
    assert await keys.once("b", "k", b"1", writes) == (b"2", True)


async def test_a_write_that_ends_its_space_keeps_its_own_key() -> None:
    keys = IdempotencyKeys()

    async def drop() -> str:
        keys.forget("a")
        return "dropped"

    assert await keys.once("a", "k", b"1", drop) == ("dropped", False)
    assert await keys.once("a", "k", b"1", drop) == ("dropped", True)


async def test_a_write_that_is_done_and_not_remembered_yet_is_forgotten_too() -> None:
    keys, writes = IdempotencyKeys(), Writes()
    first = keys._begin("a", "k", b"1", writes)
    await asyncio.wait([first])
    keys.forget("a")
    await asyncio.sleep(0)
    assert keys._find("a", "k") is None

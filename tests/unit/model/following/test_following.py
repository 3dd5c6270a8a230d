"""Iterators over what followers are told: what they return, how far that is, and how they end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import pytest

from engram.errors import CorruptData, EngramError, FailedPrecondition
from engram.model.following.following import AsyncFollowing, Following
from engram.model.following.told import AwaitedSource, Told

WAIT_S: Final = 30.0


@dataclass(frozen=True)
class Item:
    """Something of a generation."""

    generation: int


class Source:
    """Tells what a test has prepared; an error among it is raised."""

    def __init__(self, *told: Told[Item] | EngramError) -> None:
        self.told = list(told)
        self.closed = 0

    def check(self) -> None:
        pass

    def take(self) -> Told[Item] | None:
        if not self.told or self.closed:
            return None
        told = self.told.pop(0)
        if isinstance(told, EngramError):
            raise told
        return told

    def close(self) -> None:
        self.closed += 1

    async def batches(self) -> AsyncGenerator[Told[Item], None]:
        """The same, for coroutines."""
        try:
            while (told := self.take()) is not None:
                await asyncio.sleep(0)
                yield told
        finally:
            self.close()


def told(*generations: int, up_to: int = 0, in_order: bool = True, incomplete: bool = False) -> Told[Item]:
    return Told([Item(each) for each in generations], up_to, in_order, incomplete)


def generations(items: Sequence[Item]) -> list[int]:
    return [item.generation for item in items]


def test_it_returns_one_after_the_other_and_says_how_far_that_is() -> None:
    source = Source(told(9, 2, 7, in_order=False), told(up_to=10), told(11, 13, up_to=20), told(up_to=30))
    following = Following(source, 1)
    seen = []
    for item in following:
        seen.append((item.generation, following.generation))
    # What is best comes first, so nothing is known before all of it has come.
    assert seen == [(9, 1), (2, 1), (7, 1), (11, 11), (13, 13)]
    assert (following.generation, repr(following)) == (30, "Following(generation=30)")
    assert next(following, None) is None


def test_what_is_incomplete_stays_so() -> None:
    following = Following(Source(told(1, up_to=1), told(2, up_to=2, incomplete=True), told(3, up_to=3)))
    assert [(next(following).generation, following.incomplete) for _ in range(3)] == [(1, False), (2, True), (3, True)]


def test_an_error_ends_it_and_is_raised_again() -> None:
    source = Source(told(1, up_to=1), CorruptData("it is torn", code="lost"), told(2, up_to=2))
    following = Following(source)
    assert next(following).generation == 1
    raised = []
    for _ in range(2):
        with pytest.raises(CorruptData, match="it is torn") as caught:
            next(following)
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert (source.closed, following.generation) == (1, 1)


def test_closing_ends_it() -> None:
    source = Source(told(1, 2, up_to=2))
    with Following(source) as following:
        assert next(following).generation == 1
    assert (list(following), following.generation) == ([], 1), "the second was not returned"
    assert source.closed == 1


def test_threads_that_iterate_at_once_are_returned_one_each() -> None:
    class Together(Source):
        """Tells the next when everybody has come for it who can come."""

        def take(self) -> Told[Item] | None:
            coming.acquire(timeout=WAIT_S)
            assert not self.taking, "two threads wait at the same time"
            self.taking = True
            told = super().take()
            self.taking = False
            return told

        taking = False

    coming = threading.Semaphore(0)
    following = Following(Together(*(told(2 * turn + 1, 2 * turn + 2, up_to=2 * turn + 2) for turn in range(50))))
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(next, following) for _ in range(100)]
        coming.release(100)
        assert sorted(each.result(WAIT_S).generation for each in asked) == list(range(1, 101))


def test_what_cannot_be_waited_for_is_refused_before_a_lock_is_taken() -> None:
    class Forked(Source):
        def check(self) -> None:
            raise FailedPrecondition("this is a child", code="forked")

    following = Following(Forked(told(1, up_to=1)))
    following._turn.acquire()
    with pytest.raises(FailedPrecondition, match="this is a child"):
        next(following)


async def test_coroutines_are_returned_the_same() -> None:
    source = Source(told(9, 2, in_order=False), told(11, 13, up_to=20), told(up_to=30))
    following = AsyncFollowing(AwaitedSource(source.batches()), 1)
    seen = []
    async for item in following:
        seen.append((item.generation, following.generation))
    assert seen == [(9, 1), (2, 1), (11, 11), (13, 13)]
    assert (following.generation, following.incomplete, source.closed) == (30, False, 1)
    assert repr(following) == "AsyncFollowing(generation=30)"


async def test_coroutines_are_raised_an_error_again() -> None:
    following = AsyncFollowing(AwaitedSource(Source(told(1, up_to=1), CorruptData("it is torn")).batches()))
    assert (await anext(following)).generation == 1
    for _ in range(2):
        with pytest.raises(CorruptData, match="it is torn"):
            await anext(following)


async def test_coroutines_that_ask_at_once_are_returned_one_each() -> None:
    source = Source(*(told(number, up_to=number) for number in range(1, 5)))
    async with AsyncFollowing(AwaitedSource(source.batches())) as following:
        assert generations(await asyncio.gather(*(anext(following) for _ in range(3)))) == [1, 2, 3]
    assert source.closed == 1
    assert [item async for item in following] == []


async def test_a_wait_that_is_cancelled_ends_it() -> None:
    asked = asyncio.Event()

    async def silent() -> AsyncGenerator[Told[Item], None]:
        yield told(1, up_to=1)
        asked.set()
        await asyncio.Event().wait()

    following = AsyncFollowing(AwaitedSource(silent()))
    await anext(following)
    waiting = asyncio.ensure_future(anext(following))
    await asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [item async for item in following] == []


async def test_closing_ends_the_wait_of_another_coroutine() -> None:
    asked, left = asyncio.Event(), list[str]()

    async def silent() -> AsyncGenerator[Told[Item], None]:
        try:
            asked.set()
            await asyncio.Event().wait()
            yield told(1, up_to=1)
        finally:
            left.append("left")

    following = AsyncFollowing(AwaitedSource(silent()))
    waiting = asyncio.ensure_future(anext(following, None))
    await asked.wait()
    await following.aclose()
    assert (await waiting, left) == (None, ["left"])
    assert [item async for item in following] == []


async def test_a_wait_that_is_cancelled_as_it_is_closed_stays_cancelled() -> None:
    asked = asyncio.Event()

    async def silent() -> AsyncGenerator[Told[Item], None]:
        asked.set()
        await asyncio.Event().wait()
        yield told(1, up_to=1)

    following = AsyncFollowing(AwaitedSource(silent()))
    waiting = asyncio.ensure_future(anext(following, None))
    await asked.wait()
    closing = asyncio.ensure_future(following.aclose())
    await asyncio.sleep(0)
    waiting.cancel()
    await closing
    with pytest.raises(asyncio.CancelledError):
        await waiting

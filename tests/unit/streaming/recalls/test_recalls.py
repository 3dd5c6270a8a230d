"""Recalls for an event loop: limits hold, and whoever stops listening frees what was held."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput, OverCapacity, Unavailable
from engram.metrics import table
from engram.metrics.samples import MetricSamples
from engram.model.query import Recalled, RecallQuery
from engram.store import Cue, MemoryStore, RecallStream, Space
from engram.streaming.counters import Counters
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.recalls.recalls import IDLE_S, Recalls
from engram.streaming.recalls.short_recalls import K_MAX
from tests.doubles.batches import DIM, vector_of
from tests.doubles.waiting import TIMEOUT_S

ANY = vector_of("any")
QUERY = RecallQuery(Cue(ANY, score_min=-1.0), k=100, batch_size=10)
# Not short, so a thread answers it.
LONG = replace(QUERY, k=K_MAX + 1)
FOLLOW = RecallQuery(Cue(ANY, score_min=0.9), batch_size=10, follow=True)


def sizes(batch: Recalled) -> tuple[int, bool]:
    return len(batch.hits), batch.more


@asynccontextmanager
async def recalling(
    waiting_max: int = 10, streams_max: int = 10, threads_max: int = 2, idle_s: float = IDLE_S
) -> AsyncIterator[tuple[Recalls, Space]]:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(threads_max) as threads, MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        space.observe([f"{i}" for i in range(25)], np.stack([vector_of(f"{i}") for i in range(25)]))
        async with asyncio.timeout(TIMEOUT_S):
            yield Recalls(threads, Mailbox(loop), Counters(), waiting_max, streams_max, idle_s), space


async def test_batches_come_in_order_and_the_last_says_so() -> None:
    async with recalling() as (recalls, space):
        assert [batch async for batch in recalls.stream(space._engine, QUERY, sizes)] == [
            (10, True),
            (10, True),
            (5, False),
        ]
        assert recalls.streams == 0


async def test_latencies_are_counted_once_for_each_recall_that_was_answered() -> None:
    async with recalling() as (recalls, space):

        def counted() -> tuple[float, float]:
            samples = MetricSamples(recalls.samples())
            one, other = table.RECALL_LATENCY.name, table.FIRST_RESULT.name
            return samples.value(f"{one}_count"), samples.value(f"{other}_count")

        for query in (QUERY, LONG):
            await recalls.answer(space._engine, query, sizes)
        assert counted() == (2, 0)
        assert len([batch async for batch in recalls.stream(space._engine, QUERY, sizes)]) == 3
        assert counted() == (2, 1)
        with pytest.raises(InvalidInput):
            await recalls.answer(space._engine, RecallQuery(Cue(ANY[:3])), sizes)
        with pytest.raises(InvalidInput):
            await anext(recalls.stream(space._engine, RecallQuery(Cue(ANY[:3])), sizes))
        assert counted() == (2, 1)


async def test_an_error_in_the_query_comes_from_the_stream() -> None:
    async with recalling() as (recalls, space):
        with pytest.raises(InvalidInput):
            await anext(recalls.stream(space._engine, RecallQuery(Cue(ANY[:3])), sizes))
        assert recalls.streams == 0


async def test_more_streams_than_allowed_are_refused_until_one_ends() -> None:
    async with recalling(streams_max=2) as (recalls, space):
        held = [recalls.stream(space._engine, QUERY, sizes) for _ in range(2)]
        for stream in held:
            await anext(stream)
        with pytest.raises(OverCapacity) as caught:
            await anext(recalls.stream(space._engine, QUERY, sizes))
        assert (caught.value.code, caught.value.limit) == ("recall_streams", "2")
        await held[0].aclose()
        assert len([batch async for batch in recalls.stream(space._engine, QUERY, sizes)]) == 3
        await held[1].aclose()


async def test_dropping_a_stream_frees_its_walk_after_the_batch_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, release, closed = threading.Event(), threading.Event(), threading.Event()
    next_batch, close = RecallStream.next_batch, RecallStream.close
    calls = 0

    def slow(stream: RecallStream) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            entered.set()
            assert release.wait(TIMEOUT_S)
        return next_batch(stream)

    def note(stream: RecallStream) -> None:
        close(stream)
        closed.set()

    monkeypatch.setattr(RecallStream, "next_batch", slow)
    monkeypatch.setattr(RecallStream, "close", note)
    async with recalling() as (recalls, space):
        stream = recalls.stream(space._engine, QUERY, sizes)
        await anext(stream)
        assert await asyncio.to_thread(entered.wait, TIMEOUT_S)
        await stream.aclose()
        assert recalls.streams == 0
        # The batch that is being made is the last one, and the walk is its until it is done.
        assert not closed.is_set()
        release.set()
        assert await asyncio.to_thread(closed.wait, TIMEOUT_S)
        assert calls == 2


async def test_what_follows_comes_when_it_commits() -> None:
    async with recalling() as (recalls, space):
        stream = recalls.stream(space._engine, FOLLOW, sizes)
        assert await anext(stream) == (0, False)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.to_thread(space.observe, ["near"], [ANY])
        assert await waiting == (1, False)
        await stream.aclose()
        assert recalls.streams == 0
        # The next commit finds nobody to tell.
        await asyncio.to_thread(space.observe, ["near"], [ANY])
        space._engine.subscriptions.advance()
        assert len(space._engine.subscriptions) == 0


async def test_a_recall_that_nothing_matches_tells_how_far_it_got_and_only_if_it_got_further() -> None:
    async with recalling(idle_s=0.001) as (recalls, space):
        stream = recalls.stream(space._engine, FOLLOW, lambda batch: (len(batch.hits), batch.generation))
        assert await anext(stream) == (0, 25)
        for generation in (26, 27):
            waiting = asyncio.ensure_future(anext(stream))
            # Some idle times pass, in which there is nothing to tell.
            for _ in range(3):
                await asyncio.wait({waiting}, timeout=0.005)
            assert not waiting.done()
            await asyncio.to_thread(space.observe, [f"far{generation}"], [-ANY])
            assert await waiting == (0, generation)
        await asyncio.to_thread(space.observe, ["near"], [ANY])
        told = [await anext(stream)]
        while not told[-1][0]:
            told.append(await anext(stream))
        assert told[-1] == (1, 28)
        await stream.aclose()


async def test_stopping_ends_standing_recalls_with_the_reason() -> None:
    async with recalling() as (recalls, space):
        stream = recalls.stream(space._engine, FOLLOW, sizes)
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        recalls.stop(Unavailable("stopping", code="shutting_down"))
        with pytest.raises(Unavailable):
            await waiting
        late = recalls.stream(space._engine, FOLLOW, sizes)
        assert await anext(late) == (0, False)
        with pytest.raises(Unavailable):
            await anext(late)


async def test_closing_the_store_ends_standing_recalls_quietly() -> None:
    async with recalling() as (recalls, space):
        stream = recalls.stream(space._engine, FOLLOW, sizes)
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0)
        space._engine.subscriptions.close()
        assert await waiting is None


async def test_recalls_have_the_right_of_way_until_they_are_answered_or_have_their_first_batch() -> None:
    async with recalling() as (recalls, space):
        gate = threading.Event()
        answer = asyncio.create_task(recalls.answer(space._engine, LONG, lambda _: gate.wait(TIMEOUT_S)))
        batches = recalls.stream(space._engine, QUERY, lambda _: gate.wait(TIMEOUT_S))
        first = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        assert recalls.loop_priority.under_way == 2
        gate.set()
        assert await answer
        assert await first
        assert recalls.loop_priority.under_way == 0
        await batches.aclose()


async def test_long_work_lets_others_have_their_turn_and_counts_as_one_that_waits() -> None:
    order: list[str] = []
    entered, release = threading.Event(), threading.Event()

    def work() -> Generator[None, None, str]:
        order.append("first")
        entered.set()
        assert release.wait(TIMEOUT_S)
        yield
        order.append("second")
        yield
        return "done"

    def encode(recalled: Recalled) -> None:
        order.append("recall")

    async with recalling(waiting_max=2, threads_max=1) as (recalls, space):
        long = asyncio.ensure_future(recalls.in_turns(work()))
        assert await asyncio.to_thread(entered.wait, TIMEOUT_S)
        short = asyncio.ensure_future(recalls.answer(space._engine, LONG, encode))
        await asyncio.sleep(0)
        with pytest.raises(OverCapacity) as caught:
            await recalls.in_turns(work())
        assert caught.value.code == "recalls_waiting"
        release.set()
        assert await long == "done"
        await short
        assert order == ["first", "recall", "second"]
        assert await recalls.in_turns(iter_of("again")) == "again"


async def test_work_that_fails_or_is_left_frees_its_place() -> None:
    def failing() -> Generator[None, None, None]:
        yield
        raise InvalidInput("no such generation")

    def endless() -> Generator[None, None, None]:
        while True:
            yield

    async with recalling(waiting_max=1) as (recalls, _):
        with pytest.raises(InvalidInput):
            await recalls.in_turns(failing())
        left = asyncio.ensure_future(recalls.in_turns(endless()))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.wait([left])
        assert await recalls.in_turns(iter_of("next")) == "next"


def iter_of(result: str) -> Generator[None, None, str]:
    """Work that yields nothing."""
    yield from ()
    return result


async def test_a_standing_recall_that_is_cancelled_when_it_has_matches_ends() -> None:
    async with recalling() as (recalls, space):

        async def follow() -> None:
            async for _ in recalls.stream(space._engine, replace(QUERY, follow=True), sizes):
                pass

        following = asyncio.create_task(follow())
        while not recalls._ready:  # noqa: ASYNC110 - nobody tells.
            await asyncio.sleep(0)
        (ready,) = recalls._ready
        await asyncio.sleep(0)
        ready.set()
        following.cancel()
        await asyncio.wait([following], timeout=TIMEOUT_S)
        assert following.cancelled()

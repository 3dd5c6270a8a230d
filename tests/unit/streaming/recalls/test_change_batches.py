"""Change feeds for an event loop: batches as they come, how far they got, and what ends them."""

from __future__ import annotations

import asyncio

import pytest

from engram.errors import CorruptData, FailedPrecondition, InvalidInput, OverCapacity, Unavailable
from engram.model.cue import Filter
from engram.model.following.change import Changes
from engram.model.following.follow_changes import FollowChanges
from engram.store import Space
from engram.streaming.recalls.change_batches import begin_changes
from engram.streaming.recalls.recalls import IDLE_S
from tests.doubles.batches import vector_of
from tests.unit.streaming.recalls.test_recalls import recalling

# So many observations are there at the beginning.
COUNT = 25


def told(changes: Changes) -> tuple[list[str], int]:
    return [change.id for change in changes], changes.generation


async def observe(space: Space, id: str) -> None:
    await asyncio.to_thread(space.observe, id, vector_of(id))


async def test_the_first_batch_comes_at_once_and_the_others_as_something_commits() -> None:
    async with recalling() as (recalls, space):
        feed = recalls.changes(space._engine, FollowChanges("notes"), told)
        assert await anext(feed) == ([], COUNT)
        waiting = asyncio.ensure_future(anext(feed))
        await observe(space, "new")
        assert await waiting == (["new"], COUNT + 1)
        assert recalls.streams == 1
        await feed.aclose()
        assert recalls.streams == 0
        # The next commit finds nobody to tell.
        await observe(space, "newer")
        space._engine.subscriptions.advance()
        assert len(space._engine.subscriptions) == 0


async def test_a_feed_from_the_past_tells_all_since(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engram.store.subscriptions.change_stream._STEP", 10)
    async with recalling() as (recalls, space):
        feed = recalls.changes(space._engine, FollowChanges("notes", 3), told)
        batches = [await anext(feed) for _ in range(3)]
        assert [generation for _, generation in batches] == [13, 23, 25]
        assert [id for ids, _ in batches for id in ids] == [f"{number}" for number in range(3, COUNT)]
        await feed.aclose()


async def test_a_feed_that_nothing_passes_tells_how_far_it_got() -> None:
    async with recalling(idle_s=0.001) as (recalls, space):
        feed = recalls.changes(space._engine, FollowChanges("notes", filter=Filter(tags={"x"})), told)
        assert await anext(feed) == ([], COUNT)
        for generation in (COUNT + 1, COUNT + 2):
            waiting = asyncio.ensure_future(anext(feed))
            # Some idle times pass, in which there is nothing to tell.
            for _ in range(3):
                await asyncio.wait({waiting}, timeout=0.005)
            assert not waiting.done()
            await observe(space, f"far{generation}")
            assert await waiting == ([], generation)
        await feed.aclose()


async def test_more_streams_than_allowed_are_refused() -> None:
    async with recalling(streams_max=1) as (recalls, space):
        feed = recalls.changes(space._engine, FollowChanges("notes"), told)
        await anext(feed)
        with pytest.raises(OverCapacity) as refused:
            await anext(recalls.changes(space._engine, FollowChanges("notes"), told))
        assert refused.value.code == "recall_streams"
        await feed.aclose()


async def test_what_cannot_be_told_is_refused_with_the_first_batch() -> None:
    async with recalling() as (recalls, space):
        with pytest.raises(InvalidInput) as refused:
            await anext(recalls.changes(space._engine, FollowChanges("notes", COUNT + 1), told))
        assert refused.value.code == "invalid_after_generation"
        assert (recalls.streams, len(space._engine.subscriptions)) == (0, 0)


async def test_the_end_of_the_server_or_of_the_space_ends_a_feed() -> None:
    async with recalling() as (recalls, space):
        feed = recalls.changes(space._engine, FollowChanges("notes"), told)
        await anext(feed)
        waiting = asyncio.ensure_future(anext(feed))
        recalls.stop(Unavailable("the server stops", code="shutting_down"))
        with pytest.raises(Unavailable) as ended:
            await waiting
        assert ended.value.code == "shutting_down"
    async with recalling() as (recalls, space):
        feed = recalls.changes(space._engine, FollowChanges("notes"), told)
        await anext(feed)
        waiting = asyncio.ensure_future(anext(feed))
        space._engine.life.end(FailedPrecondition("it was dropped", code="space_dropped"))
        space._engine.subscriptions.close()
        with pytest.raises(FailedPrecondition) as gone:
            await waiting
        assert gone.value.code == "space_dropped"


async def test_what_is_too_large_for_a_message_comes_in_parts() -> None:
    def encode(changes: Changes) -> tuple[list[str], int]:
        if len(changes) > 7:
            raise InvalidInput("it is too large", code="results_bytes")
        return told(changes)

    async with recalling() as (_, space):
        batches, made = begin_changes(space._engine, FollowChanges("notes", 0), encode, IDLE_S)
        assert [id for ids, _ in made for id in ids] == [f"{number}" for number in range(COUNT)]
        # Whoever goes on after one of them misses nothing.
        assert [generation for _, generation in made] == [6, 12, 18, COUNT]
        batches.close_after(None)


async def test_one_change_that_no_message_takes_ends_the_feed() -> None:
    def encode(changes: Changes) -> list[str]:
        if any(change.id == "7" for change in changes):
            raise InvalidInput("it is too large", code="results_bytes")
        return [change.id for change in changes]

    async with recalling() as (_, space):
        batches, made = begin_changes(space._engine, FollowChanges("notes", 0), encode, IDLE_S)
        assert [id for ids in made for id in ids] == [f"{number}" for number in range(7)]
        with pytest.raises(InvalidInput):
            batches.poll()
        batches.close_after(None)


@pytest.mark.parametrize("bad", [7, 0])
async def test_what_comes_before_what_cannot_be_read_is_told_first(bad: int) -> None:
    def encode(changes: Changes) -> list[str]:
        ids = [change.id for change in changes]
        if f"{bad}" in ids:
            raise CorruptData("it is torn")
        return ids

    async with recalling() as (_, space):
        request = FollowChanges("notes", 0)
        if bad == 0:
            with pytest.raises(CorruptData):
                begin_changes(space._engine, request, encode, IDLE_S)
            space._engine.subscriptions.advance()
            assert len(space._engine.subscriptions) == 0
            return
        batches, made = begin_changes(space._engine, request, encode, IDLE_S)
        assert [id for ids in made for id in ids] == [f"{number}" for number in range(bad)]
        for _ in range(2):
            assert batches.has_matches
            with pytest.raises(CorruptData):
                batches.poll()
        batches.close_after(None)
        assert batches.closed

"""Change feeds: they wait, end and are counted like other followers, and hold nothing up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engram.errors import EngramError, FailedPrecondition, InvalidInput, OverCapacity
from engram.model.following.follow_changes import FollowChanges
from engram.store import Cue, Filter, MemoryStore, Space, StoreOptions
from engram.store.subscriptions import change_stream
from engram.store.subscriptions.change_stream import ChangeStream
from tests.doubles.batches import DIM, vector_of
from tests.doubles.waiting import TIMEOUT_S

IDS = [f"id-{number:02}" for number in range(50)]


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    with MemoryStore(None, options=StoreOptions(workers=1, retained_count=1000)) as store:
        yield store


@pytest.fixture
def space(store: MemoryStore) -> Space:
    return store.space("notes", dim=DIM)


def observe(space: Space, *ids: str, **columns: Any) -> int:
    return space.observe(list(ids), [vector_of(id) for id in ids], **columns)


def feed_of(space: Space, after: int | None = None, **options: Any) -> ChangeStream:
    return space._engine.follow_changes(FollowChanges("notes", after, **options))


def in_thread(work: Any) -> tuple[threading.Thread, list[Any]]:
    """A thread that does some work, and what that returns or raises."""
    outcomes: list[Any] = []

    def run() -> None:
        try:
            outcomes.append(work())
        except EngramError as error:
            outcomes.append(error.code)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcomes


def test_whoever_waits_is_told_as_soon_as_something_commits(space: Space) -> None:
    observe(space, "before")
    feed = feed_of(space)
    assert (feed.generation, feed.poll(), feed.has_changes) == (1, [], False)
    thread, outcomes = in_thread(feed.take)
    observe(space, "a", "b")
    thread.join(TIMEOUT_S)
    assert [change.id for change in outcomes[0]] == ["a", "b"]
    assert (feed.generation, outcomes[0].generation) == (3, 3)


def test_what_is_told_is_a_few_steps_at_a_time(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_stream, "_STEP", 8)
    monkeypatch.setattr(change_stream, "_STEPS_MAX", 2)
    for id in IDS:
        observe(space, id, tags=[["x"] if id == IDS[-1] else []])
    whole, rare = feed_of(space, 0), feed_of(space, 0, filter=Filter(tags={"x"}))
    told = [whole.poll() for _ in range(8)]
    assert [change.id for part in told for change in part] == IDS
    assert [part.generation for part in told] == [8, 16, 24, 32, 40, 48, 50, 50]
    # Where nothing passes, it says how far it got, and leaves others their turn.
    parts = [rare.poll() for _ in range(4)]
    assert [part.generation for part in parts] == [16, 32, 48, 50]
    assert [change.id for part in parts for change in part] == [IDS[-1]]


def test_large_texts_are_told_a_few_at_a_time(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engram.store.subscriptions.change_reader.BATCH_BYTES_MAX", 5000)
    observe(space, *IDS[:12], contents=["x" * 2000] * 12)
    feed = feed_of(space, 0)
    told = [feed.poll() for _ in range(7)]
    assert [change.id for part in told for change in part] == IDS[:12]
    assert [len(part) for part in told] == [2, 2, 2, 2, 2, 2, 0]
    assert [part.generation for part in told] == [2, 4, 6, 8, 10, 12, 12]


def test_a_wait_for_what_is_far_away_reads_all_that_lies_between(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_stream, "_STEP", 2)
    monkeypatch.setattr(change_stream, "_STEPS_MAX", 1)
    observe(space, *IDS, tags=[["x"] if id == IDS[-1] else [] for id in IDS])
    found = feed_of(space, 0, filter=Filter(tags={"x"})).take()
    assert found is not None
    assert [change.id for change in found] == [IDS[-1]]


def test_closing_ends_the_wait(space: Space) -> None:
    feed = feed_of(space)
    thread, outcomes = in_thread(feed.take)
    feed.close()
    thread.join(TIMEOUT_S)
    assert (outcomes, feed.closed) == ([None], True)
    observe(space, "a")
    assert (feed.take(), feed.poll(), feed.has_changes) == (None, [], False)


def test_closing_the_store_ends_feeds(store: MemoryStore, space: Space) -> None:
    feed = space.changes()
    thread, outcomes = in_thread(lambda: list(feed))
    store.close()
    thread.join(TIMEOUT_S)
    assert outcomes == [[]]


@pytest.mark.parametrize(("end", "code"), [("drop", "space_dropped"), ("rename", "space_renamed")])
def test_a_space_that_is_no_more_ends_its_feeds_with_an_error(
    store: MemoryStore, space: Space, end: str, code: str
) -> None:
    waiting, reading = space.changes(), feed_of(space, 0)
    thread, outcomes = in_thread(lambda: next(waiting))
    if end == "drop":
        store.drop("notes")
    else:
        store.rename("notes", "renamed")
    thread.join(TIMEOUT_S)
    assert outcomes == [code]
    with pytest.raises(EngramError) as refused:
        reading.poll()
    assert refused.value.code == code


@pytest.mark.parametrize("after", [7, 2**62])
def test_a_generation_that_is_yet_to_come_is_refused(space: Space, after: int) -> None:
    observe(space, "a")
    with pytest.raises(InvalidInput) as refused:
        space.changes(after_generation=after)
    assert (refused.value.code, refused.value.field) == ("invalid_after_generation", "after_generation")


def test_a_generation_that_is_not_retained_is_refused_and_what_is_unread_is_retained() -> None:
    with MemoryStore(None, options=StoreOptions(workers=1, retained_count=2)) as store:
        space = store.space("notes", dim=DIM)
        observe(space, "a")
        feed = feed_of(space)
        for _ in range(5):
            observe(space, "b")
        with pytest.raises(FailedPrecondition) as refused:
            space.changes(after_generation=1)
        assert (refused.value.code, refused.value.field) == ("snapshot_expired", "after_generation")
        assert refused.value.limit == "4"
        # Whoever follows already has what it has yet to read.
        assert space._engine.retention.horizon == 1
        assert [change.replaces for change in feed.poll()] == [None, 2, 3, 4, 5]
        assert space._engine.retention.horizon == 4


def test_a_feed_that_is_left_unread_is_waited_for_no_longer(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = feed_of(space)
    observe(space, "a")
    assert feed.unread_generation == 0
    assert space._engine.subscriptions.unread_generation == 0
    monkeypatch.setattr(change_stream, "LEASE_S", -1.0)
    # Not None before, which a type checker would keep in mind.
    left: tuple[int | None, ...] = (feed.unread_generation, space._engine.subscriptions.unread_generation)
    assert left == (None, None)


def test_feeds_count_among_the_followers(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engram.store.subscriptions.registry.FOLLOWERS_MAX", 2)
    feed, stream = feed_of(space), space.recall_stream(Cue(), follow=True)
    registry = space._engine.subscriptions
    assert (len(registry), registry.cue_count) == (2, 1)
    for attempt in (space.changes, lambda: space.follow(Cue())):
        with pytest.raises(OverCapacity) as refused:
            attempt()
        assert refused.value.code == "too_many_followers"
    assert not registry.retire()
    feed.close()
    space.changes().close()
    stream.close()
    del feed, stream
    assert len(registry) == 0


def test_a_change_of_another_thread_is_told_to_the_listener(space: Space) -> None:
    feed = feed_of(space)
    told: list[bool] = []
    feed.add_listener(lambda: told.append(feed.has_changes))
    assert told == [False]
    reached = threading.Event()
    feed.add_listener(lambda: reached.set() if feed.has_changes else None)
    observe(space, "a")
    assert reached.wait(TIMEOUT_S)


def test_hits_have_their_vectors_as_they_were(space: Space) -> None:
    observe(space, "a")
    (change,) = feed_of(space, 0, include_vectors=True).poll()
    assert change.hit is not None
    assert change.hit.vector is not None
    np.testing.assert_array_equal(change.hit.vector, vector_of("a"))

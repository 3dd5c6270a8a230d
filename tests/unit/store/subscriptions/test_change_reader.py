"""What a feed tells of each generation: how a version began, which one ended, and what a filter makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram import F, Own
from engram.errors import CorruptData, FailedPrecondition
from engram.model.following.change import Change
from engram.model.following.follow_changes import FollowChanges
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import Filter, MemoryStore, Space, StoreOptions
from engram.store.compaction.pace import Pace
from engram.store.subscriptions.change_reader import ChangeReader
from tests.doubles.batches import vector_of
from tests.doubles.damaged import SPACE, flip_stored
from tests.doubles.expiry_clock import ExpiryClock

# Longer than a sector: damage in the middle of a vector harms nothing else of its observation.
DIM = 256
QUIET = StoreOptions(workers=1, mark_interval_s=3600.0, scrub_bytes_per_s=0, log_compaction_bytes_per_s=0)
RED = Filter(tags={"red"})


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    with MemoryStore(tmp_path, options=QUIET) as store:
        yield store.space(SPACE, dim=DIM)


def observe(space: Space, id: str, *tags: str, **fields: Any) -> int:
    return space.observe(id, vector_of(id, dim=DIM), f"text of {id[0]}", tags=list(tags), **fields)


def changes(space: Space, filter: Any = None, after: int = 0, **options: Any) -> list[Change]:
    return list(space.changes(filter, after_generation=after, timeout_s=0, **options))


def told(space: Space, filter: Any = None, after: int = 0, **options: Any) -> list[tuple[Any, ...]]:
    return [(each.kind, each.id, each.generation, each.replaces) for each in changes(space, filter, after, **options)]


def test_each_generation_is_a_change(space: Space) -> None:
    observe(space, "a", "red")
    observe(space, "b")
    observe(space, "a")
    space.update("b", confidence=0.5)
    space.delete(["a", "b", "nobody"])
    observe(space, "a")
    assert told(space) == [
        ("observed", "a", 1, None),
        ("observed", "b", 2, None),
        ("updated", "a", 3, 1),
        ("updated", "b", 4, 2),
        ("deleted", "a", 5, 3),
        ("deleted", "b", 6, 4),
        ("observed", "a", 7, None),
    ]
    assert told(space, after=5) == [("deleted", "b", 6, 4), ("observed", "a", 7, None)]
    assert told(space, after=7) == []


def test_a_version_that_a_batch_supersedes_itself_is_told_too(space: Space) -> None:
    space.observe(["a", "b", "a"], [vector_of(id, dim=DIM) for id in "aba"])
    assert told(space) == [("observed", "a", 1, None), ("observed", "b", 2, None), ("updated", "a", 3, 1)]


def test_what_is_observed_or_updated_comes_with_its_version(space: Space) -> None:
    observe(space, "a", "red")
    space.update("a", tags=["blue"], content="another text")
    space.delete(["a"])
    first, second, third = changes(space)
    assert (first.hit is not None, second.hit is not None, third.hit) == (True, True, None)
    for change, tags, text in ((first, ["red"], "text of a"), (second, ["blue"], "another text")):
        hit = change.hit
        assert hit is not None
        assert (hit.id, hit.generation, hit.tags, hit.content) == ("a", change.generation, tags, text)
        assert hit.vector is not None
        np.testing.assert_array_equal(hit.vector, vector_of("a", dim=DIM))


def test_a_deletion_of_what_was_due_is_an_expiry(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ExpiryClock()
    clock.use(monkeypatch)
    monkeypatch.setattr("engram.log.log.now_us", lambda: clock.day_us)
    for id, ttl in (("a", 10), ("b", 10), ("c", 100), ("d", 10), ("e", None)):
        observe(space, id, ttl=ttl)
    clock.go_on(20)
    # Whoever deletes or observes it finds that it is due already.
    space.delete(["b", "c", "e"])
    observe(space, "d")
    clock.remove_expired(space)
    assert told(space, after=5) == [
        ("expired", "b", 6, 2),
        ("deleted", "c", 7, 3),
        ("deleted", "e", 8, 5),
        ("updated", "d", 9, 4),
        ("expired", "a", 10, 1),
    ]


def test_by_a_filter_whoever_applies_the_changes_has_what_passes(space: Space) -> None:
    observe(space, "a", "red")
    observe(space, "b")
    observe(space, "c", "red")
    space.update("a", tags=[])
    space.update("b", tags=["red"])
    space.update("c", confidence=0.5)
    space.update("a", confidence=0.5)
    space.delete(["a", "b", "c"])
    assert told(space, RED) == [
        ("observed", "a", 1, None),
        ("observed", "c", 3, None),
        ("left", "a", 4, 1),
        ("updated", "b", 5, 2),
        ("updated", "c", 6, 3),
        ("deleted", "b", 9, 5),
        ("deleted", "c", 10, 6),
    ]
    assert told(space, Own.tags.has_all(["red"]), after=5) == told(space, RED, after=5)
    assert told(space, Own.id == "a", after=4) == [("updated", "a", 7, 4), ("deleted", "a", 8, 7)]


def test_a_deletion_by_a_filter_is_told_like_any_other(space: Space) -> None:
    observe(space, "a", "red")
    observe(space, "b", "blue")
    space.delete(filter=RED)
    assert told(space, RED, after=2) == told(space, after=2) == [("deleted", "a", 3, 1)]
    assert told(space, Filter(tags={"blue"}), after=2) == []


def test_whoever_has_yet_to_be_told_what_is_erased_begins_anew(space: Space) -> None:
    observe(space, "a", "red")
    observe(space, "b", "red")
    observe(space, "a", "red")
    limit = space.erase(["a"]).generation
    for after in (0, 2, 3):
        with pytest.raises(FailedPrecondition) as refused:
            changes(space, after=after)
        assert (refused.value.code, refused.value.field) == ("snapshot_expired", "after_generation")
    # Its own deletion is gone, too.
    assert limit == 4
    assert told(space, after=limit) == []
    observe(space, "a")
    assert told(space, after=limit) == [("observed", "a", space.generation, None)]


def test_what_a_compaction_has_dropped_is_refused(space: Space) -> None:
    space.set_retention(RetentionPolicy(None, 0))
    observe(space, "a")
    for _ in range(5):
        space.observe(["b", "c"] * 20, np.array([vector_of("b", dim=DIM)] * 40))
    engine = space._engine
    engine.retention.advance()
    engine.log_compaction.run(Pace(0, lambda: True))
    with pytest.raises(FailedPrecondition) as refused:
        ChangeReader(engine._state, FollowChanges(space.name)).read(1, 10)
    assert (refused.value.code, refused.value.field) == ("snapshot_expired", "after_generation")
    # Whoever goes on after the limit is refused no more.
    assert refused.value.limit == str(engine._state.dropped_generation)
    assert told(space, after=int(refused.value.limit)) == []


def test_a_damaged_id_ends_the_feed_behind_all_that_came_before(space: Space, tmp_path: Path) -> None:
    observe(space, "a")
    observe(space, "damaged-id")
    observe(space, "c")
    flip_stored(tmp_path, b"damaged-id")
    feed = space.changes(after_generation=0, timeout_s=60)
    assert next(feed).id == "a"
    for _ in range(2):
        with pytest.raises(CorruptData):
            next(feed)
    assert feed.generation == 1


def test_with_skip_damaged_a_feed_goes_on_and_is_incomplete(space: Space, tmp_path: Path) -> None:
    observe(space, "a")
    observe(space, "damaged-id")
    observe(space, "c")
    flip_stored(tmp_path, b"damaged-id")
    feed = space.changes(after_generation=0, timeout_s=0, skip_damaged=True)
    assert [change.id for change in feed] == ["a", "c"]
    assert (feed.incomplete, feed.generation) == (True, 3)


def test_a_damaged_vector_concerns_who_asks_for_vectors(space: Space, tmp_path: Path) -> None:
    observe(space, "a")
    observe(space, "b")
    flip_stored(tmp_path, vector_of("a", dim=DIM).tobytes())
    assert [each.hit and each.hit.content for each in changes(space)] == ["text of a", "text of b"]
    assert told(space, skip_damaged=True, include_vectors=True) == [("observed", "b", 2, None)]


def test_a_filter_that_damage_decides_ends_the_feed_or_is_passed_over(space: Space, tmp_path: Path) -> None:
    def long(words: str) -> str:
        # The filter index has a digest of it only.
        return f"{words} " * 30

    for id, note in (("a", "words"), ("b", long("damaged words")), ("c", "words"), ("b", "words")):
        observe(space, id, metadata={"note": note})
    flip_stored(tmp_path, long("damaged words").encode())
    filter = F.note.contains("words")
    feed = space.changes(filter, after_generation=0, timeout_s=60)
    assert next(feed).id == "a"
    with pytest.raises(CorruptData):
        next(feed)
    lenient = space.changes(filter, after_generation=0, timeout_s=0, skip_damaged=True)
    # What passes is told, whatever it replaces.
    assert [(each.kind, each.id) for each in lenient] == [("observed", "a"), ("observed", "c"), ("updated", "b")]
    assert lenient.incomplete

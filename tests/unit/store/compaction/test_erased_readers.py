"""What readers meet when something is erased that they are about to read, or that an index still knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram import F, Own
from engram.errors import FailedPrecondition, Unavailable
from engram.log.log import Log
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import Cue, MemoryStore, Space, StoreOptions
from engram.store.commit.live_versions import LiveVersions
from engram.store.compaction.pace import Pace
from engram.store.filters.metadata_index import MetadataIndex
from engram.store.recall.search import Search
from engram.store.subscriptions.matcher import Matcher
from tests.doubles.batches import DIM, vector_of

# Nothing happens by itself.
QUIET = StoreOptions(segment_bytes=64 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)
# Longer than what the filter index keeps of a text.
LONG = "long " * 200
IDS = [f"id-{number}" for number in range(20)]


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(tmp_path / "data", options=QUIET)


@pytest.fixture
def aged(store: MemoryStore) -> Iterator[Space]:
    """A space of which nothing is retained, with an observation that is older than all that can be dropped."""
    with store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        space.observe("old", vector_of("old"))
        for number in range(40):
            vectors = np.array([vector_of(id, number) for id in IDS])
            space.observe(IDS, vectors, [f"{id} of round {number} " + "and more " * 10 for id in IDS])
        yield space


def compact(space: Space) -> None:
    """Do what the thread for compactions would do."""
    engine = space._engine
    engine.retention.advance()
    engine.log_compaction.run(Pace(0, lambda: True))


def before(work: Callable[[], object], does: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does some work first, and then what another one does."""

    def done(*arguments: Any) -> Any:
        work()
        return does(*arguments)

    return done


def after(work: Callable[[], object], does: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does what another one does, and then some work."""

    def done(*arguments: Any) -> Any:
        found = does(*arguments)
        work()
        return found

    return done


@pytest.mark.parametrize("erased", ["a", "b", "c"])
def test_a_filter_over_long_texts_passes_over_what_was_erased(store: MemoryStore, erased: str) -> None:
    """Also if that was the first row of its segment, and nobody else has its text."""
    with store:
        space = store.space("notes", dim=DIM)
        for id in "abc":
            space.observe(id, vector_of(id), metadata={"note": LONG + id})
        space.erase([erased])
        assert space.count(F.note.contains("long")) == 2
        assert [hit.id for hit in space.scan(F.note.starts_with("long"))] == [id for id in "abc" if id != erased]


def test_what_is_erased_behind_the_horizon_is_left_out_of_a_recall_that_begins_anew(
    aged: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row could have been dropped by a compaction, but not as of a generation that is retained."""
    compact(aged)
    generation = aged.generation
    assert 1 < aged._engine._state.log.horizon.generation <= generation
    monkeypatch.setattr(Search, "best", after(lambda: aged.erase(["old"]), Search.best))
    hits = aged.recall(Cue(vector_of("old")), k=5, max_generation=generation)
    assert len(hits) == 5
    assert "old" not in {hit.id for hit in hits}


def test_a_look_up_of_the_past_begins_anew_if_what_it_found_is_erased(
    aged: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    compact(aged)
    monkeypatch.setattr(LiveVersions, "at", after(lambda: aged.erase(["old"]), LiveVersions.at))
    assert aged.get("old", aged.generation) is None


def test_whoever_has_a_snapshot_is_told_to_ask_again(aged: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    compact(aged)
    held = aged.snapshot()
    with monkeypatch.context() as patch:
        patch.setattr(Search, "best", after(lambda: aged.erase(["old"]), Search.best))
        with pytest.raises(Unavailable) as told:
            held.recall(Cue(vector_of("old")), k=5)
    assert told.value.code == "erased"
    assert len(held.recall(Cue(vector_of("old")), k=5)) == 5


@pytest.mark.parametrize(
    "read",
    [lambda space, at: space.count(Own.id == "id-0", at), lambda space, at: space.get("id-0", at)],
    ids=["count", "get"],
)
def test_what_a_compaction_overtakes_is_refused_also_before_the_compaction_ends(
    aged: Space, read: Callable[[Space, int], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The index for filters is thinned out at the end, when rows have long left the log.
    monkeypatch.setattr(MetadataIndex, "drop", lambda *_: None)
    for name in ("at", "known_at"):
        monkeypatch.setattr(LiveVersions, name, before(lambda: compact(aged), getattr(LiveVersions, name)))
    with pytest.raises(FailedPrecondition) as refused:
        read(aged, 3 * len(IDS))
    assert refused.value.code == "snapshot_expired"


@pytest.mark.parametrize("cue", [Cue(), Cue(vector_of("c"), score_min=0.5)], ids=["everything", "what is similar"])
def test_a_standing_recall_that_is_behind_gets_past_what_was_erased(store: MemoryStore, cue: Cue) -> None:
    with store:
        space = store.space("notes", dim=DIM)
        for id in "abc":
            space.observe(id, vector_of(id))
        space.erase(["b"])
        with space.recall_stream(cue, follow=True, max_generation=1) as stream:
            stream.next_batch()
            assert [hit.id for hit in stream.poll()] == ["c"]


def test_a_batch_of_a_standing_recall_comes_without_what_was_erased(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Matcher, "notify", lambda *_: None)
    with store:
        space = store.space("notes", dim=DIM)
        with space.recall_stream(Cue(), follow=True) as stream:
            assert stream.next_batch() == []
            for id in "abc":
                space.observe(id, vector_of(id))
            while space._engine.subscriptions.advance():
                pass
            space.erase(["a"])
            batch = stream.poll()
            assert [hit.id for hit in batch] == ["b", "c"]
            assert not batch.incomplete


def test_a_standing_recall_does_not_go_on_behind_matches_that_it_cannot_return(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were taken, so that nobody would get them."""
    monkeypatch.setattr(Matcher, "notify", lambda *_: None)
    with store:
        space = store.space("notes", dim=DIM)
        with space.recall_stream(Cue(), follow=True) as stream:
            assert stream.next_batch() == []
            space.observe("a", vector_of("a"))
            while space._engine.subscriptions.advance():
                pass

            def failing(*_: object) -> None:
                raise Unavailable("it cannot be read", code="log_failed")

            with monkeypatch.context() as patch:
                patch.setattr(Log, "locate", failing)
                with pytest.raises(Unavailable):
                    stream.poll()
            with pytest.raises(Unavailable):
                stream.poll()


@pytest.mark.parametrize(
    "cue", [Cue(vector_of("a")), Cue(text="note", by="words")], ids=["a walk of the graph", "what is ranked at once"]
)
def test_a_stream_goes_on_without_what_was_erased(store: MemoryStore, cue: Cue) -> None:
    ids = list("abcdef")
    with store:
        space = store.space("notes", dim=DIM)
        space.observe(ids, np.array([vector_of(id) for id in ids]), [f"note {id}" for id in ids])
        stream = space.recall_stream(cue, k=len(ids), batch_size=2)
        seen = [hit.id for hit in stream.next_batch()]
        erased = next(id for id in ids if id not in seen)
        space.erase([erased])
        seen += [hit.id for batch in stream for hit in batch]
        assert sorted(seen) == [id for id in ids if id != erased]
        assert not stream.incomplete


def test_a_matcher_gets_past_what_was_erased_before_it_came_to_that(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Matcher, "notify", lambda *_: None)
    with store:
        space = store.space("notes", dim=DIM)
        with space.recall_stream(Cue(vector_of("cue"), score_min=0.5), follow=True) as stream:
            assert stream.next_batch() == []
            for id in "ab":
                space.observe(id, vector_of("cue"))
            space.erase(["a"])
            while space._engine.subscriptions.advance():
                pass
            assert [hit.id for hit in stream.poll()] == ["b"]
            assert space._engine.damages.count == 0

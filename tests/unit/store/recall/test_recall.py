"""Cues, snapshots and streams of a space."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.errors import FailedPrecondition, InvalidInput, Unavailable
from engram.log import log as log_module
from engram.model.operations.requests import Get
from engram.server.handlers.look_up import look_up
from engram.store import Between, Cue, Filter, MemoryStore, Space, StoreOptions, Strength
from tests.doubles.batches import DIM, batch_of, vector_of
from tests.doubles.waiting import wait_until_indexed

ANY = vector_of("any")


@pytest.fixture
def space() -> Iterator[Space]:
    with MemoryStore(None, options=StoreOptions(workers=1)) as store:
        yield store.space("notes", dim=DIM)


def fill(space: Space, count: int = 60) -> NDArray[np.float32]:
    """Observe ``0`` .. `count` - 1, at the seconds of their numbers, tagged by evenness."""
    vectors = np.stack([vector_of(f"{i}") for i in range(count)])
    space.observe(
        ids=[f"{i}" for i in range(count)],
        vectors=vectors,
        contents=[f"number {i} is {'even' if i % 2 == 0 else 'odd'}" for i in range(count)],
        timestamps=np.arange(float(count)),
        confidences=np.linspace(0, 1, count),
        metadata=[{"number": i, "kind": "square" if i in {4, 9, 16, 25, 36, 49} else None} for i in range(count)],
        tags=[["even"] if i % 2 == 0 else ["odd"] for i in range(count)],
    )
    return vectors


def ids(hits: list[Any]) -> list[str]:
    return [hit.id for hit in hits]


# ---- cues -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("exact_max", [0, 1000])
def test_filters_keep_the_nearest_of_what_passes(
    space: Space, monkeypatch: pytest.MonkeyPatch, linked: bool, exact_max: int
) -> None:
    monkeypatch.setattr("engram.store.recall.search._EXACT_COUNT_MAX", exact_max)
    vectors = fill(space)
    if linked:
        wait_until_indexed(space)
    filter = Filter(tags=frozenset({"even"}), since=10, until=50, metadata={"number": Between(12, None)})
    expected = [i for i in np.argsort(-_cosines(vectors, ANY)) if i % 2 == 0 and 12 <= i < 50]
    hits = space.recall(Cue(ANY, filter=filter), k=8)
    assert ids(hits) == [f"{i}" for i in expected[:8]]
    assert [hit.score for hit in hits] == pytest.approx(_cosines(vectors, ANY)[expected[:8]], abs=1e-5)
    streamed = [id for batch in space.recall_stream(Cue(ANY, filter=filter), 100, 7) for id in ids(batch)]
    assert sorted(streamed) == sorted(f"{i}" for i in expected)


def test_metadata_values_are_of_a_kind(space: Space) -> None:
    space.observe(["n", "t", "b"], np.eye(3, DIM), metadata=[{"k": 1}, {"k": "1"}, {"k": True}])
    for value, id in ((1, "n"), (1.0, "n"), ("1", "t"), (True, "b")):
        assert ids(space.recall(Cue(filter=Filter(metadata={"k": value})))) == [id]
    assert ids(space.recall(Cue(filter=Filter(metadata={"k": Between(0, 2)})))) == ["n"]


def test_without_anything_to_rank_by_the_newest_come_first(space: Space) -> None:
    fill(space)
    hits = space.recall(Cue(filter=Filter(until=20, metadata={"kind": "square"})))
    assert ids(hits) == ["16", "9", "4"]
    assert {hit.score for hit in hits} == {1}
    assert ids(space.recall(Cue(), k=2)) == ["59", "58"]


def test_confidence_is_compared_as_it_was_observed(space: Space) -> None:
    fill(space)
    assert len(space.recall(Cue(filter=Filter(confidence_min=0.9)), k=100)) == sum(np.linspace(0, 1, 60) >= 0.9)


def test_only_what_is_similar_enough(space: Space) -> None:
    vectors = fill(space)
    enough = np.sort(_cosines(vectors, ANY))[-5] - 1e-4
    assert len(space.recall(Cue(ANY, score_min=float(enough)), k=60)) == 5
    batches = list(space.recall_stream(Cue(ANY, score_min=float(enough)), 60, 2))
    assert [len(batch) for batch in batches] == [2, 2, 1]


def test_words_find_their_forms(space: Space) -> None:
    space.observe(["a", "b", "c"], np.eye(3, DIM), ["the pump leaks", "leaking boats", "Äpfel und Birnen"])
    assert set(ids(space.recall(Cue(text="leak", by="words")))) == {"a", "b"}
    assert ids(space.recall(Cue(text="pump leak", by="words")))[0] == "a"
    assert ids(space.recall(Cue(text="apfel", by="words"))) == ["c"]
    assert space.recall(Cue(text='"; DROP * NOT (', by="words")) == []
    assert space.recall(Cue(text="?!", by="words")) == []


def test_words_are_found_at_the_ack_and_as_of_a_snapshot(space: Space) -> None:
    cue = Cue(text="pump", by="words")
    first = space.observe(["a"], [ANY], ["old pump"])
    assert ids(space.recall(cue)) == ["a"]
    space.observe(["a", "b"], [ANY, ANY], ["old hose", "new pump"])
    assert ids(space.recall(cue)) == ["b"]
    assert [hit.content for hit in space.recall(cue, max_generation=first)] == ["old pump"]
    assert ids(space.recall(Cue(text="pump", by="words", filter=Filter(tags=frozenset("x"))))) == []
    space.delete(["b"])
    assert space.recall(cue) == []


def test_both_rankings_are_fused(space: Space) -> None:
    near, far = vector_of("near"), -vector_of("near")
    space.observe(["both", "near", "worded"], [near, near, far], ["the pump", "the hose", "a pump"])
    hits = space.recall(Cue(near, text="pump", by="both"))
    assert hits[0].id == "both"
    assert set(ids(hits)) == {"both", "near", "worded"}


def test_texts_are_embedded_only_for_similarity(space: Space) -> None:
    fill(space)
    with pytest.raises(FailedPrecondition):
        space.recall("number")
    assert space.recall(Cue(text="odd", by="words"), k=3)
    assert space.recall(Cue(ANY, text="odd", by="both"), k=3)


# ---- snapshots ------------------------------------------------------------------------------------------------------


def test_a_snapshot_by_time(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock ran ahead and came back: what was committed meanwhile counts as no later than what followed.
    clock = iter([1_000_000, 2_000_000, 1_500_000])
    monkeypatch.setattr(log_module, "now_us", lambda: next(clock))
    for id in ("a", "b", "c"):
        space.observe([id], [vector_of(id)])
    for seconds, expected in ((0.999, ""), (1, "a"), (1.499, "a"), (1.5, "abc"), (9e9, "abc")):
        found = ids(space.recall(ANY, snapshot_time=seconds))
        assert sorted(found) == list(expected)
        assert sorted(ids(space.snapshot(snapshot_time=seconds).recall(ANY))) == list(expected)


def test_times_of_commits_survive_a_restart(tmp_path: Any) -> None:
    with MemoryStore(tmp_path) as store:
        space = store.space("notes", dim=DIM)
        space.observe(["a"], [ANY])
        between = time.time()
        space.observe(["a", "b"], [ANY, ANY])
    with MemoryStore(tmp_path) as store:
        hits = store.space("notes").recall(ANY, snapshot_time=between)
        assert [(hit.id, hit.generation) for hit in hits] == [("a", 1)]


def test_only_one_name_for_a_snapshot(space: Space) -> None:
    with pytest.raises(InvalidInput) as caught:
        space.recall(ANY, max_generation=1, snapshot_time=1.0)
    assert caught.value.code == "invalid_recall"


def test_generations_that_are_not_retained_are_refused() -> None:
    with MemoryStore(None, options=StoreOptions(retained_count=2)) as store:
        space = store.space("notes", dim=DIM)
        space.observe(["a"], [ANY])
        held = space.snapshot()
        for id in ("b", "c", "d"):
            space.observe([id], [ANY])
        for attempt in (
            lambda: space.recall(ANY, max_generation=1),
            lambda: space.recall_stream(ANY, max_generation=1),
            lambda: space.get("a", max_generation=1),
            lambda: space.snapshot(1),
            lambda: space.recall(ANY, snapshot_time=1.0),
        ):
            with pytest.raises(FailedPrecondition) as caught:
                attempt()
            assert (caught.value.code, caught.value.limit) == ("snapshot_expired", "2")
        assert len(space.recall(ANY, max_generation=2)) == 2
        # Whoever has a snapshot keeps it.
        assert ids(held.recall(ANY)) == ["a"]


def _returned(work: Generator[None, None, list[str]]) -> list[str]:
    """What `work` returns in the end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return list(end.value)


@pytest.mark.parametrize(
    "looking",
    [
        lambda space: ids([space.snapshot().get("a")]),
        lambda space: ids([space.snapshot(snapshot_time=4e9).get("a")]),
        lambda space: ids(space.recall(ANY, snapshot_time=4e9)),
        lambda space: _returned(look_up(space._engine, Get("notes", ["a", "b"]), ids)),
    ],
    ids=["snapshot", "snapshot of a time to come", "recall of a time to come", "look-up of a server"],
)
def test_what_was_the_newest_a_moment_ago_is_not_of_the_past(looking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others write more than is retained whenever the newest generation was read."""
    with MemoryStore(None, options=StoreOptions(retained_count=1)) as store:
        space = store.space("notes", dim=DIM)
        space.observe(["a"], [ANY])
        index, me, is_writing = type(space._engine._state.index), threading.get_ident(), False
        read = index.visible_generation

        def read_and_write(self: Any) -> int:
            nonlocal is_writing
            newest: int = read.__get__(self)
            if threading.get_ident() == me and not is_writing:
                is_writing = True
                space.observe(["b", "c", "d"], [ANY] * 3)
                is_writing = False
            return newest

        with monkeypatch.context() as patched:
            patched.setattr(index, "visible_generation", property(read_and_write))
            found = looking(space)
        assert (found, space.generation > 3) == (["a"], True)


def test_the_horizon_is_behind_everyone_who_looks_back() -> None:
    with MemoryStore(None, options=StoreOptions(retained_count=1)) as store:
        space = store.space("notes", dim=DIM)
        for id in ("a", "b"):
            space.observe([id], [ANY])
        held = space.snapshot(1)
        for id in ("c", "d"):
            space.observe([id], [ANY])
        assert (space._engine.retention.oldest, space._engine.retention.horizon) == (3, 1)
        del held
        assert space._engine.retention.horizon == 3


def test_retention_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now_us = 1_000_000_000
    monkeypatch.setattr(log_module, "now_us", lambda: now_us)
    monkeypatch.setattr("engram.store.age_clock.now_us", lambda: now_us)
    monkeypatch.setattr("engram.store.age_clock.steady_us", lambda: now_us)
    with MemoryStore(None, options=StoreOptions(retained_s=10)) as store:
        space = store.space("notes", dim=DIM)
        for id in ("a", "b"):
            space.observe([id], [ANY])
            now_us += 8_000_000
        # "a" is 16 s old: the state of ten seconds ago is the one after it.
        assert space._engine.retention.oldest == 1
        now_us += 8_000_000
        assert space._engine.retention.oldest == 2


# ---- streams --------------------------------------------------------------------------------------------------------


def test_a_stream_continues_without_repeats(space: Space) -> None:
    fill(space)
    wait_until_indexed(space)
    stream = space.recall_stream(ANY, k=45, batch_size=10)
    batches = [stream.next_batch() for _ in range(4)]
    assert stream.more_results
    batches.append(stream.next_batch())
    assert [len(batch) for batch in batches] == [10, 10, 10, 10, 5]
    assert not stream.more_results
    assert stream.next_batch() == []
    assert len({hit.id for batch in batches for hit in batch}) == 45
    for batch in batches:
        assert [hit.score for hit in batch] == sorted((hit.score for hit in batch), reverse=True)


def test_a_stream_that_runs_out_ends(space: Space) -> None:
    fill(space, 20)
    assert [len(batch) for batch in space.recall_stream(ANY, 100, 10)] == [10, 10]
    assert [len(batch) for batch in space.recall_stream(ANY, 100, 15)] == [15, 5]


def test_a_stream_keeps_its_snapshot(space: Space) -> None:
    fill(space, 30)
    stream = space.recall_stream(ANY, 100, 7)
    found = ids(next(stream))
    space.observe(["late"], [ANY])
    space.delete([f"{i}" for i in range(0, 30, 2)])
    space.observe(["1"], [ANY])
    found += [id for batch in stream for id in ids(batch)]
    assert sorted(found) == sorted(f"{i}" for i in range(30))
    assert stream.generation == 30


def test_recent_observations_join_later_batches(space: Space) -> None:
    fill(space, 30)
    stream = space.recall_stream(ANY, 100, 10, include_recent=True)
    assert "late" not in ids(next(stream))
    space.observe(["late", "far", "gone"], [ANY, -ANY, ANY], confidences=[0.5, 0.5, 0.5])
    space.delete(["gone"])
    second = next(stream)
    assert second[0].id == "late"
    assert second[0].recent
    # At most a tenth less, and never more, than it was observed with.
    assert 0.45 <= second[0].confidence < 0.5
    assert not any(hit.recent for hit in second[1:])
    rest = [hit for batch in stream for hit in batch]
    assert "gone" not in ids(second + rest)
    assert len({hit.id for hit in rest}) == len(rest)


def test_recent_observations_pass_the_filter(space: Space) -> None:
    fill(space, 30)
    cue = Cue(ANY, filter=Filter(tags=frozenset({"even"})))
    stream = space.recall_stream(cue, 100, 3, include_recent=True)
    next(stream)
    space.observe(["yes", "no"], [ANY, ANY], tags=[["even"], ["odd"]])
    found = [id for batch in stream for id in ids(batch)]
    assert "yes" in found
    assert "no" not in found


def test_closing_a_stream_frees_its_walk(space: Space) -> None:
    fill(space)
    stream = space.recall_stream(ANY, 50, 10)
    next(stream)
    stream.close()
    assert not stream.more_results
    assert list(stream) == []
    assert stream._walk is None


def test_a_stream_that_takes_too_long_ends(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(space)
    now_s = 100.0
    monkeypatch.setattr("engram.store.recall.stream.time.monotonic", lambda: now_s)
    stream = space.recall_stream(ANY, 50, 10, timeout_ms=500)
    now_s += 0.5
    assert len(stream.next_batch()) == 10
    now_s += 0.001
    with pytest.raises(Unavailable) as caught:
        stream.next_batch()
    assert caught.value.code == "recall_timeout"
    assert not stream.more_results


def test_errors_come_at_once(space: Space) -> None:
    refused: list[dict[str, Any]] = [
        {"k": 2**31},
        {"batch_size": 101},
        {"ef": 0},
        {"timeout_ms": 0},
        {"follow": True},
    ]
    for arguments in refused:
        with pytest.raises(InvalidInput):
            space.recall_stream(ANY, **arguments)
    with pytest.raises(InvalidInput):
        space.recall_stream(ANY[:3])


def test_a_stream_without_a_ranking_begins_with_the_newest(space: Space) -> None:
    fill(space, 30)
    newest_first = [hit.generation for hit in space.recall(Cue(), k=30)]
    assert newest_first == list(range(30, 0, -1))
    streamed = [[hit.generation for hit in batch] for batch in space.recall_stream(Cue(), 30, 7)]
    assert streamed == [newest_first[start : start + 7] for start in range(0, 30, 7)]


# ---- strength -------------------------------------------------------------------------------------------------------


def test_strength_ranks_the_fresh_before_the_old(space: Space) -> None:
    now = time.time()
    space.observe(["old", "new"], [ANY, ANY + vector_of("noise") * 0.1], timestamps=[now - 1000, now])
    assert ids(space.recall(ANY)) == ["old", "new"]
    strength = Strength(half_life_s=100, reinforce=False)
    hits = space.recall(ANY, strength=strength)
    assert ids(hits) == ["new", "old"]
    assert hits[1].score == pytest.approx(1)
    assert hits[1].strength is not None
    assert hits[1].strength < 0.01
    streamed = list(space.recall_stream(ANY, batch_size=1, strength=strength))
    assert [ids(batch) for batch in streamed] == [["new"], ["old"]]
    assert streamed[0][0].score == pytest.approx(hits[0].score)


def test_recalling_by_strength_strengthens(space: Space) -> None:
    space.observe(["a"], [ANY], timestamps=[time.time() - 1000])
    first, second = (space.recall(ANY, strength=Strength(half_life_s=100))[0] for _ in range(2))
    assert first.strength is not None
    assert second.strength is not None
    assert second.strength > 100 * first.strength


def test_ages_are_told(space: Space) -> None:
    space.observe(["a", "b"], [ANY, ANY], timestamps=[time.time() - 50, time.time() + 50])
    ages = {hit.id: hit.age_s for hit in space.recall(ANY)}
    assert ages["a"] == pytest.approx(50, abs=30)
    assert ages["b"] == 0


def test_an_empty_space_has_nothing_to_recall(space: Space) -> None:
    for cue in (Cue(ANY), Cue(), Cue(text="x", by="words"), Cue(ANY, filter=Filter(tags=frozenset("x")))):
        assert space.recall(cue) == []
        assert list(space.recall_stream(cue)) == []
    assert space.recall(ANY, strength=Strength()) == []
    batch = batch_of(["a"])
    space.observe(batch.ids, batch.vectors)
    assert space.recall(ANY, max_generation=0) == []


def _cosines(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query), dtype=np.float64)


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(
    "cue",
    [
        Cue(ANY),
        Cue(ANY, filter=Filter(tags={"even"})),
        Cue(ANY, score_min=0.1),
        Cue(ANY, text="even", by="both"),
        Cue(text="number", by="words"),
        Cue(filter=Filter(tags={"odd"})),
    ],
    ids=["similarity", "filter", "score", "both", "words", "filter alone"],
)
def test_more_hits_than_one_search_has_room_for_are_those_of_a_larger_one(
    space: Space, monkeypatch: pytest.MonkeyPatch, linked: bool, cue: Cue
) -> None:
    monkeypatch.setattr("engram.store.recall.search._EXACT_COUNT_MAX", 0)
    fill(space)
    if linked:
        wait_until_indexed(space)
    wanted = space.recall(cue, k=50, ef=10_000)
    many = space.recall_many([cue, cue], k=50, ef=10_000)
    for module in ("recall.search", "many.many_search"):
        monkeypatch.setattr(f"engram.store.{module}.RESULTS_MAX", 7)
    found = space.recall(cue, k=50)
    assert ids(found) == ids(wanted)
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in wanted])
    assert [ids(hits) for hits in space.recall_many([cue, cue], k=50)] == [ids(hits) for hits in many]


def test_a_ranking_by_strength_has_any_number_of_hits(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(space)
    monkeypatch.setattr("engram.store.recall.executor.RESULTS_MAX", 7)
    monkeypatch.setattr("engram.store.recall.search.RESULTS_MAX", 7)
    hits = space.recall(ANY, k=60, strength=Strength(reinforce=False))
    assert sorted(ids(hits), key=int) == [f"{number}" for number in range(60)]

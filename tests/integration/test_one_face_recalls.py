"""Recalls, streams and snapshots are the same embedded and over every transport."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from engram import Between, Cue, Filter, Hits, RecallQuery, Strength
from engram.model.columns import COLUMNS
from tests.integration.homes import ids, vector_of
from tests.integration.server_process import TIMEOUT_S


def test_a_recall_says_as_of_when_it_is(home: Any) -> None:
    for name in ("a", "b", "c"):
        home.observe(name, vector_of(name), name)
    hits = home.recall(vector_of("b"), k=2, include_vectors=True)
    assert (type(hits), hits[0].id, len(hits), hits.generation, hits.incomplete) == (Hits, "b", 2, 3, False)
    assert np.allclose(hits[0].vector, vector_of("b"))
    assert ids(home.recall(vector_of("c"), max_generation=2, k=1)) != ["c"]
    assert home.recall(vector_of("c"), max_generation=2).generation == 2
    assert len(home.recall(vector_of("c"), max_generation=0)) == 0


def test_a_query_is_answered_as_it_is(home: Any) -> None:
    home.observe(["a", "b"], [vector_of("a"), vector_of("b")], tags=[["x"], ["y"]])
    query = RecallQuery(Cue(vector=vector_of("a"), filter=Filter(tags={"y"})), k=5)
    assert ids(home.answer(query)) == ["b"]
    batches = list(home.open(RecallQuery(Cue(vector=vector_of("a")), k=2, batch_size=1)))
    assert ([hit.id for hits in batches for hit in hits], {hits.generation for hits in batches}) == (["a", "b"], {2})


def test_a_stream_of_batches(home: Any) -> None:
    names = [f"id-{number}" for number in range(25)]
    home.observe(names, [vector_of(name) for name in names])
    batches = list(home.recall_stream(vector_of("id-3"), 23, 10))
    assert [len(hits) for hits in batches] == [10, 10, 3]
    assert batches[0][0].id == "id-3"
    assert {hits.generation for hits in batches} == {25}


def test_a_snapshot_does_not_move(home: Any) -> None:
    empty = home.snapshot()
    home.observe("a", vector_of("a"), "first")
    held = home.snapshot()
    home.observe("a", vector_of("a"), "second")
    home.observe("b", vector_of("b"))
    assert (empty.generation, held.generation) == (0, 1)
    assert (empty.get("a"), held.get("a").content, held.get("b")) == (None, "first", None)
    assert (ids(empty.recall(vector_of("a"))), ids(held.recall(vector_of("b")))) == ([], ["a"])
    assert [hit.content for hits in held.recall_stream(vector_of("a"), 5) for hit in hits] == ["first"]
    assert home.snapshot(2).generation == 2
    assert home.snapshot(snapshot_time=time.time() + 3600).generation == 3
    assert home.snapshot(snapshot_time=0).generation == 0
    assert repr(held).endswith("Snapshot(generation=1)")


ATTRIBUTES = {
    *(spec.attribute for spec in COLUMNS),
    *("id", "vector", "score", "generation", "indexed", "recent", "strength", "recalled_us", "has_content"),
}


FILTERS: list[tuple[Filter, list[str]]] = [
    (Filter(tags={"red"}), ["a", "c"]),
    (Filter(tags={"red", "big"}), ["c"]),
    (Filter(without_tags={"red"}), ["b", "d"]),
    (Filter(metadata={"n": 2}), ["b"]),
    (Filter(metadata={"n": Between(2, 3)}), ["b", "c"]),
    (Filter(metadata={"n": Between(high=1)}), ["a"]),
    (Filter(metadata={"word": "ä", "flag": True, "none": None}), ["d"]),
    (Filter(since=2, until=4), ["b", "c"]),
    (Filter(confidence_min=0.5), ["c", "d"]),
    (Filter(tags={"red"}, since=2, confidence_min=0.5), ["c"]),
    (Filter(tags={"unknown"}), []),
]


@pytest.fixture
def filled_home(home: Any) -> Any:
    """Four observations that differ in all columns, by which filters tell them apart."""
    home.observe(
        ["a", "b", "c", "d"],
        [vector_of(name) for name in "abcd"],
        ["the pump leaks", "the pump hums", "crew meets", "a pump and a pump"],
        timestamps=[1, 2, 3, 4],
        confidences=[0.25, 0.25, 0.5, 1.0],
        importances=[0, 0, 0, 1],
        metadata=[{"n": 1}, {"n": 2}, {"n": 3}, {"word": "ä", "flag": True, "none": None}],
        tags=[["red"], ["blue"], ["red", "big"], []],
    )
    return home


def test_filters(filled_home: Any) -> None:
    for wanted, found in FILTERS:
        assert sorted(ids(filled_home.recall(Cue(vector_of("a"), filter=wanted)))) == found, wanted
        assert ids(filled_home.recall(Cue(filter=wanted))) == found[::-1], "the newest first"


def test_a_recall_by_words(filled_home: Any) -> None:
    hits = filled_home.recall(Cue(text="leaking pumps", by="words"))
    assert (ids(hits)[0], sorted(ids(hits))) == ("a", ["a", "b", "d"])
    assert hits[0].score > hits[1].score
    assert ids(filled_home.recall(Cue(text=" ", by="words"))) == []


def test_a_least_score(filled_home: Any) -> None:
    assert ids(filled_home.recall(Cue(vector_of("a"), score_min=0.999))) == ["a"]
    assert [ids(hits) for hits in filled_home.recall_stream(Cue(vector_of("a"), score_min=0.999))] == [["a"]]


def test_a_ranking_by_strength(filled_home: Any) -> None:
    half_life_s = 10 * (time.time() - 1)
    strength = Strength(half_life_s=half_life_s, forgetting="power", reinforce=False)
    hits = filled_home.recall(Cue(filter=Filter(tags={"red"})), strength=strength)
    # Each is about 1 / 1.1 of what its confidence is worth.
    assert [(hit.id, round(hit.strength, 2)) for hit in hits] == [("c", 0.23), ("a", 0.11)]
    assert filled_home.recall(vector_of("a"))[0].strength is None


def test_every_attribute_of_a_hit(filled_home: Any) -> None:
    before = time.time()
    for hit in (
        filled_home.recall(vector_of("d"), 1, include_vectors=True)[0],
        next(iter(filled_home.recall_stream(vector_of("d"), 1, include_vectors=True)))[0],
        filled_home.get("d", include_vectors=True),
    ):
        assert {field.name for field in fields(hit) if field.init} == ATTRIBUTES
        assert (hit.id, hit.content, hit.generation, hit.time_us) == ("d", "a pump and a pump", 4, 4_000_000)
        assert (hit.confidence, hit.importance, hit.tags) == (1.0, 1.0, [])
        assert hit.metadata == {"word": "ä", "flag": True, "none": None}
        assert (hit.recent, hit.strength, hit.indexed in (True, False)) == (False, None, True)
        assert hit.score == pytest.approx(1, abs=1e-5)
        assert (hit.vector.dtype, hit.vector.tolist()) == (np.float32, vector_of("d").tolist())
        assert before - 1 < hit.recalled_us / 1e6 < time.time() + 1
        assert hit.age_s == pytest.approx(hit.recalled_us / 1e6 - 4)


def test_texts_in_a_space_with_an_embedder(reading_home: Any) -> None:
    reading_home.observe("a", None, "warm coffee")
    reading_home.observe("b", content="cold tea")
    reading_home.observe(["c", "d"], contents=["a red bicycle", "a blue boat"])
    assert ids(reading_home.recall("coffee", 1)) == ["a"]
    assert ids(reading_home.recall(Cue(text="bicycles", by="both"), 1)) == ["c"]
    assert [ids(hits) for hits in reading_home.recall_stream("tea", 1)] == [["b"]]
    assert reading_home.submit("e", content="hot soup").result(TIMEOUT_S) == 5
    assert ids(reading_home.snapshot(4).recall("soup", 4)) != ids(reading_home.recall("soup", 4))


def test_a_standing_recall_hears_what_comes_later_once_and_in_order(home: Any) -> None:
    home.observe("a", vector_of("a"))
    following = home.recall_stream(Cue(vector_of("a"), score_min=0.9), follow=True)
    assert ids(next(following)) == ["a"]
    home.observe(["far", "near"], [-vector_of("a"), vector_of("a")])
    home.observe("a", vector_of("a"), "again")
    heard: list[Any] = []
    while len(heard) < 2:
        heard += next(following)
    assert [(hit.id, hit.generation, hit.content) for hit in heard] == [("near", 3, ""), ("a", 4, "again")]
    following.close()


def test_a_standing_recall_goes_on_behind_a_generation(home: Any) -> None:
    home.observe(["a", "b"], [vector_of("a"), vector_of("a")])
    following = home.recall_stream(Cue(vector_of("a"), score_min=0.9), max_generation=1, follow=True)
    assert (ids(next(following)), ids(next(following))) == (["a"], ["b"])
    following.close()


def test_a_stream_may_be_left(home: Any) -> None:
    names = [f"id-{number}" for number in range(30)]
    home.observe(names, [vector_of(name) for name in names])
    batches = home.recall_stream(vector_of("id-3"), 30, 3)
    assert ids(next(batches))[0] == "id-3"
    batches.close()
    assert home.observe("after", vector_of("after")) == 31

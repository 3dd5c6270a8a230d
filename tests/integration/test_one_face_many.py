"""Recalls of many cues find what as many recalls find, embedded and over every transport."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from engram import Cue, F, Filter, Hits, Own, Strength
from tests.integration.homes import ids, vector_of
from tests.integration.server_process import vectors_of

NAMES = [f"id-{number}" for number in range(40)]
VECTORS = vectors_of(NAMES)
EVEN = Filter(tags={"even"})
FEW = F.n.is_in([3, 4, 5])
FILTERS: dict[str, Any] = {"none": None, "a tag": EVEN, "a range": {"n": {"ge": 30}}, "few": FEW, "nothing": {"n": 99}}


def fill(home: Any) -> None:
    """Store forty observations."""
    home.observe(
        NAMES,
        VECTORS,
        [f"{name} is about {'pumps' if number % 3 else 'doors'}" for number, name in enumerate(NAMES)],
        metadata=[{"n": number} for number in range(40)],
        tags=[[] if number % 2 else ["even"] for number in range(40)],
    )


def told(hits: Any) -> list[Any]:
    """What hits say, but when they were found, and whether they were linked by then."""
    assert type(hits) is Hits
    rows = [(hit.id, hit.score, hit.generation, hit.content, hit.metadata, hit.tags, hit.time_us) for hit in hits]
    return [rows, hits.generation, hits.incomplete]


@pytest.mark.parametrize("name", FILTERS)
def test_many_vectors_find_what_each_finds_alone(home: Any, name: str) -> None:
    filter = FILTERS[name]
    fill(home)
    held = home.snapshot()
    alone = [told(held.recall(Cue(vector, filter=filter), 5)) for vector in VECTORS[:9]]
    home.observe("id-3", vector_of("later"), "written later", tags=["even"], metadata={"n": 3})
    found = held.recall_many(VECTORS[:9], 5, filter=filter)
    assert type(found) is list
    assert [told(hits) for hits in found] == alone
    for same in (list(VECTORS[:9]), VECTORS[:9].tolist(), VECTORS[:9].astype(np.float64), iter(VECTORS[:9])):
        again = home.recall_many(same, k=5, filter=filter, max_generation=held.generation)
        assert [told(hits) for hits in again] == alone
    assert {hits.generation for hits in home.recall_many(VECTORS[:9], filter=filter)} == {41}


def test_cues_of_all_kinds_find_what_each_finds_alone(home: Any) -> None:
    fill(home)
    cues = [
        VECTORS[0],
        Cue(VECTORS[1], filter=EVEN),
        Cue(text="doors", by="words"),
        Cue(VECTORS[2], "pumps", by="both"),
        Cue(filter=FEW),
        Cue(VECTORS[3], score_min=0.5),
        Cue(text="pumps", by="words", filter=EVEN),
        Cue(VECTORS[1], filter=Filter(tags={"even"})),
        Cue(VECTORS[4], filter=Filter(tags={"nobody"})),
    ]
    alone = [told(home.recall(cue, 7)) for cue in cues]
    assert [told(hits) for hits in home.recall_many(cues, 7)] == alone
    assert [told(hits) for hits in home.recall_many(tuple(cues[::-1]), 7)] == alone[::-1]
    below_thirty = F.n < 30
    first, second, words = home.recall_many([cues[0], cues[1], cues[2]], 7, filter=below_thirty)
    assert told(first) == told(home.recall(Cue(VECTORS[0], filter=below_thirty), 7))
    both = (F.n < 30) & (Own.tags.has_any(["even"]))
    assert ids(second) == ids(home.recall(Cue(VECTORS[1], filter=both), 7))
    assert told(words) == told(home.recall(Cue(text="doors", by="words", filter=below_thirty), 7))


def test_texts_find_what_each_finds_alone(reading_home: Any) -> None:
    reading_home.observe(["a", "b", "c", "d"], contents=["warm coffee", "cold tea", "a red bicycle", "hot coffee"])
    cues = ["coffee", "tea", Cue(text="bicycles", by="both"), Cue(text="coffee", by="words"), "tea"]
    alone = [reading_home.recall(cue, 2) for cue in cues]
    found = reading_home.recall_many(cues, 2)
    assert [ids(hits) for hits in found] == [ids(hits) for hits in alone]
    for hits, others in zip(found, alone, strict=True):
        assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in others], abs=1e-6)


def test_no_cues_find_nothing(home: Any) -> None:
    given: list[Any] = [[], (), np.empty((0, 3)), np.empty(0), iter([])]
    for nothing in given:
        assert home.recall_many(nothing) == []
    assert [(ids(hits), hits.generation) for hits in home.recall_many(VECTORS[:2])] == [([], 0), ([], 0)]
    fill(home)
    assert home.recall_many([], 3, filter=EVEN) == home.snapshot().recall_many([]) == []


def test_hits_have_their_vectors_if_they_are_asked_for(home: Any) -> None:
    fill(home)
    for row, hits in enumerate(home.recall_many(VECTORS[:3], 2, include_vectors=True)):
        assert ids(hits)[0] == NAMES[row]
        for hit in hits:
            assert hit.vector.tolist() == vector_of(hit.id).tolist()


def test_the_snapshot_may_be_named(home: Any) -> None:
    home.observe("a", vector_of("a"), "first")
    home.observe("a", vector_of("a"), "second")
    home.observe("b", vector_of("b"))
    cues = [vector_of("a"), vector_of("b")]
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"max_generation": 0}, []),
        ({"max_generation": 1}, ["first"]),
        ({"max_generation": 2, "ef": 10, "skip_damaged": True}, ["second"]),
        ({"snapshot_time": time.time() + 3600}, ["", "second"]),
        ({"snapshot_time": 0}, []),
    ]
    for options, contents in cases:
        for hits in home.recall_many(cues, **options):
            assert sorted(hit.content for hit in hits) == contents
    held = home.snapshot(1).recall_many(cues, ef=10, skip_damaged=True)
    assert [[hit.content for hit in hits] for hits in held] == [["first"], ["first"]]


def test_a_ranking_by_strength(home: Any) -> None:
    fill(home)
    strength = Strength(half_life_s=3600.0, reinforce=False)
    alone = [home.recall(Cue(vector, filter=EVEN), 5, strength=strength) for vector in VECTORS[:3]]
    found = home.recall_many(VECTORS[:3], 5, filter=EVEN, strength=strength)
    assert [ids(hits) for hits in found] == [ids(hits) for hits in alone]
    assert all(hit.strength > 0 for hits in found for hit in hits)
    reinforced = home.recall_many(VECTORS[:3], 5, strength=Strength(half_life_s=3600.0))
    assert [len(hits) for hits in reinforced] == [5, 5, 5]


def test_there_may_be_any_number_of_cues(home: Any) -> None:
    fill(home)
    rows = np.arange(10_240) % 40
    found = home.recall_many(VECTORS[rows], 1)
    assert [hits[0].id for hits in found] == [NAMES[row] for row in rows]
    assert {hits.generation for hits in found} == {40}
    several = home.recall_many([Cue(VECTORS[row]) for row in rows[:2300]], 2, filter=EVEN)
    assert [len(hits) for hits in several] == [2] * 2300
    assert told(several[2299]) == told(several[2299 % 40])

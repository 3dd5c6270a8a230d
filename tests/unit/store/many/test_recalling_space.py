"""Recalls of many cues find what as many recalls find, and do what they share once."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram import F, Hits
from engram.errors import CorruptData, InvalidInput
from engram.model.many.many_query import many_query
from engram.model.many.many_recalled import ManyRecalled
from engram.store import Cue, Filter, MemoryStore, Space, StoreOptions, Strength
from engram.store.many import filter_plans, many_search
from engram.store.many.many_search import PART_COUNT
from tests.doubles.batches import DIM, vector_of
from tests.doubles.damaged import SPACE, flip_stored
from tests.doubles.waiting import wait_until_indexed

ANY = vector_of("any")
EVEN = Filter(tags=frozenset({"even"}))
# More than are searched for together.
CUES = np.stack([vector_of(f"cue {number}") for number in range(PART_COUNT + 9)])


@pytest.fixture(params=[1, 3])
def space(request: pytest.FixtureRequest) -> Iterator[Space]:
    """A space whose searches have so many threads."""
    options = StoreOptions(workers=1, search_threads=request.param)
    with MemoryStore(None, options=options) as store:
        yield store.space("notes", dim=DIM)


def fill(space: Space, count: int = 300) -> None:
    """Observe ``0`` .. `count` - 1, of which every fifth is then deleted."""
    names = [f"{number}" for number in range(count)]
    space.observe(
        names,
        [vector_of(name) for name in names],
        [f"number {name} is {'odd' if row % 2 else 'even'}" for row, name in enumerate(names)],
        metadata=[{"number": row} for row in range(count)],
        tags=[["odd"] if row % 2 else ["even"] for row in range(count)],
    )
    space.delete(names[::5])


def told(hits: Hits) -> list[Any]:
    """All that hits say, but when they were found."""
    rows = [(hit.id, hit.score, hit.generation, hit.content, hit.indexed, hit.recent, hit.strength) for hit in hits]
    return [rows, hits.generation, hits.incomplete]


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("exact_max", [0, 1000])
@pytest.mark.parametrize("filter", [None, EVEN, Filter(metadata={"number": 7})], ids=["no filter", "half", "one"])
def test_vectors_find_what_each_finds_alone(
    space: Space, monkeypatch: pytest.MonkeyPatch, linked: bool, exact_max: int, filter: Filter | None
) -> None:
    monkeypatch.setattr("engram.store.recall.search._EXACT_COUNT_MAX", exact_max)
    # So few that every search compares all of them, whatever is linked meanwhile.
    fill(space, 60)
    if linked:
        wait_until_indexed(space)
    held = space.snapshot()
    found = held.recall_many(CUES, 8, filter=filter)
    alone = [held.recall(Cue(vector, filter=filter), 8) for vector in CUES]
    assert [[hit.id for hit in hits] for hits in found] == [[hit.id for hit in hits] for hits in alone]
    if linked:
        assert list(map(told, found)) == list(map(told, alone))
    assert {hits.generation for hits in found} == {space.generation}
    assert not {hit.id for hits in found for hit in hits} & {f"{number}" for number in range(0, 60, 5)}


def test_cues_of_all_kinds_find_what_each_finds_alone(space: Space) -> None:
    fill(space)
    wait_until_indexed(space)
    kinds = [
        Cue(ANY),
        Cue(ANY, filter=EVEN),
        Cue(text="even", by="words"),
        Cue(ANY, "odd", by="both", filter=F.number > 9),
        Cue(filter=F.number < 20),
        Cue(),
        Cue(ANY, score_min=0.4),
        Cue(-ANY, filter=Filter(tags=frozenset({"nobody"}))),
    ]
    cues = kinds * 20
    for strength in (None, Strength(half_life_s=3600, reinforce=False)):
        found = space.recall_many(cues, 6, strength=strength)
        alone = [space.recall(cue, 6, strength=strength) for cue in kinds]
        assert [[hit.id for hit in hits] for hits in found] == [[hit.id for hit in hits] for hits in alone * 20]
        if strength is None:
            assert list(map(told, found)) == list(map(told, alone * 20))
    common = space.recall_many(kinds, 300, filter=EVEN)
    assert all("even" in hit.tags for hits in common for hit in hits)
    assert [len(hits) for hits in common[:2]] == [120, 120]


def test_equal_filters_are_looked_up_once(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(space)
    asked: list[object] = []
    real = vars(filter_plans)["passing"]

    def counted(attributes: Any, conditions: Any, *more: Any) -> Any:
        asked.append(conditions)
        return real(attributes, conditions, *more)

    monkeypatch.setattr(filter_plans, "passing", counted)
    space.recall_many(CUES, filter=EVEN)
    assert len(asked) == 1
    # Each has a filter of its own, which says the same as that of others.
    space.recall_many([Cue(vector, filter=Filter(tags=frozenset({"even"}))) for vector in CUES])
    assert len(asked) == 2
    space.recall_many([Cue(vector, filter={"number": row % 3}) for row, vector in enumerate(CUES)], filter=EVEN)
    assert len(asked) == 5
    space.recall_many(CUES)
    assert len(asked) == 5


def test_more_filters_than_are_kept_are_looked_up_again(space: Space) -> None:
    fill(space)
    kept = filter_plans._KEPT_MAX
    cues = [Cue(ANY, filter={"number": 5 * (row % (2 * kept)) + 1}) for row in range(5 * kept)]
    found = space.recall_many(cues)
    assert [[hit.metadata["number"] for hit in hits] for hits in found] == [
        [5 * (row % (2 * kept)) + 1] for row in range(5 * kept)
    ]


def test_filters_that_are_too_large_together_are_refused(space: Space) -> None:
    half = {"and": [{"number": 1}] * 600}
    space.observe(["a"], [ANY])
    assert space.recall_many([Cue(ANY, filter=half)]) == [[]]
    with pytest.raises(InvalidInput) as refused:
        space.recall_many([Cue(ANY, filter=half)], filter={"and": [{"number": 2}] * 600})
    assert refused.value.code == "filter_size"


def test_hits_that_were_made_stronger_are_stronger_for_the_next_cue(space: Space) -> None:
    space.observe(["a"], [ANY], timestamps=[time.time() - 1000])
    found = space.recall_many([ANY, ANY], strength=Strength(half_life_s=100))
    first, second = (hits[0].strength for hits in found)
    assert first is not None
    assert second is not None
    assert second > 100 * first


def test_texts_are_embedded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=64, embedder="lexical")
        space.observe(["a", "b"], contents=["warm coffee", "cold tea"])
        search, any_vector = space._engine._reader.search, vector_of("any", dim=64)
        real, sizes = search.embed, list[int]()

        def counted(texts: Any) -> Any:
            sizes.append(len(texts))
            return real(texts)

        monkeypatch.setattr(search, "embed", counted)
        words = Cue(text="coffee", by="words")
        others: list[Any] = [any_vector, words, Cue(any_vector, "tea", by="both")]
        found = space.recall_many([*others, *["coffee", "tea"] * PART_COUNT], 1)
        assert sizes == [PART_COUNT - 3, PART_COUNT, 3]
        assert [hits[0].id for hits in found[3:]] == ["a", "b"] * PART_COUNT
        with pytest.raises(InvalidInput) as refused:
            space.recall_many(["tea"] * PART_COUNT + ["tea", " "])
        assert (refused.value.code, refused.value.field) == ("empty_text", f"cues[{PART_COUNT + 1}]")


def test_a_cue_that_does_not_fit_is_named_before_anything_is_searched(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(space)
    monkeypatch.setattr(many_search.ManySearch, "_part", lambda *_: pytest.fail("it has searched"))
    bad: list[tuple[Any, str, str]] = [
        (np.vstack([CUES, ANY * 0]), "zero_vector", f"cues[{len(CUES)}]"),
        ([Cue(text="x", by="words"), *CUES, ANY * np.inf], "not_finite", f"cues[{len(CUES) + 1}][0]"),
        ([Cue(ANY), Cue(ANY[:3])], "dimension_mismatch", "cues[1]"),
        (CUES[:, :3], "dimension_mismatch", "cues"),
    ]
    for cues, code, field in bad:
        with pytest.raises(InvalidInput) as refused:
            space.recall_many(cues)
        assert (refused.value.code, refused.value.field) == (code, field)


def finished(work: Generator[None, None, ManyRecalled]) -> ManyRecalled:
    """What `work` returns in the end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            recalled: ManyRecalled = end.value
            return recalled


def test_all_are_answered_as_of_one_generation_whatever_is_written_meanwhile() -> None:
    with MemoryStore(None, options=StoreOptions(retained_count=1)) as store:
        space = store.space("notes", dim=DIM)
        fill(space)
        generation = space.generation
        work = space._engine.recall_many(many_query(np.tile(CUES, (3, 1)), 5, None))
        next(work)
        for _ in range(5):
            # Nearer to the cues than all that is to be found, and more than is retained.
            space.observe([f"later {row}" for row in range(len(CUES))], CUES)
            space.delete([f"{number}" for number in range(1, 300, 2)])
        recalled = finished(work)
        assert (recalled.generation, len(recalled.results)) == (generation, 3 * len(CUES))
        for hits in recalled.results:
            assert (len(hits), hits.generation) == (5, generation)
            assert all(hit.generation <= generation for hit in hits)
        assert any(int(hit.id) % 2 for hits in recalled.results[2 * PART_COUNT :] for hit in hits)


def test_others_have_their_turn_after_some_cues(space: Space) -> None:
    fill(space)
    cues = np.tile(ANY, (200, 1))
    for k, turns in ((1, 3), (10_000, 15)):
        assert sum(1 for _ in space._engine.recall_many(many_query(cues, k, None))) == turns


def test_an_answer_has_a_limit_of_hits(space: Space) -> None:
    fill(space)
    query = many_query(CUES, 10, None)
    assert len(finished(space._engine.recall_many(query, 10 * len(CUES))).hits) == 10 * len(CUES)
    with pytest.raises(InvalidInput, match=f"the first {len(CUES)} cues") as refused:
        finished(space._engine.recall_many(query, 10 * len(CUES) - 1))
    assert (refused.value.code, refused.value.field) == ("results_bytes", "cues")
    with pytest.raises(InvalidInput, match=f"the first {PART_COUNT} cues"):
        finished(space._engine.recall_many(query, 10))


def test_an_empty_space_has_nothing_to_recall(space: Space) -> None:
    kinds: list[Any] = [ANY, Cue(), Cue(text="x", by="words"), Cue(ANY, filter=EVEN)]
    assert space.recall_many(kinds) == [[], [], [], []]
    assert space.recall_many(kinds, strength=Strength()) == [[], [], [], []]
    assert space.recall_many([]) == []
    space.observe(["a"], [ANY])
    assert space.recall_many(kinds, max_generation=0) == [[], [], [], []]


LONG_DIM = 256
"""Longer than a sector: damage in the middle of a vector harms nothing else of its observation."""


@pytest.mark.parametrize("filter", [None, Filter(tags=frozenset({"t"}))], ids=["no filter", "filtered"])
@pytest.mark.parametrize("harmed", ["vector", "text"])
def test_what_is_damaged_is_never_served_and_never_missing_unsaid(
    tmp_path: Path, filter: Filter | None, harmed: str
) -> None:
    cue = vector_of("a", dim=LONG_DIM)
    with MemoryStore(tmp_path, options=StoreOptions(workers=1, scrub_bytes_per_s=0)) as store:
        space = store.space(SPACE, dim=LONG_DIM)
        for id in "abc":
            space.observe([id], [vector_of(id, dim=LONG_DIM)], [f"text of {id}"], tags=[["t"]])
        flip_stored(tmp_path, vector_of("b", dim=LONG_DIM).tobytes() if harmed == "vector" else b"text of b")
        cues = [Cue(cue), Cue(-cue), Cue(text="text", by="words"), Cue()]
        found = space.recall_many(cues, filter=filter, skip_damaged=True)
        for hits in found:
            assert sorted((hit.id, hit.content) for hit in hits) == [("a", "text of a"), ("c", "text of c")]
            assert (hits.incomplete, hits.generation) == (True, 3)

        def read_all() -> list[object]:
            return [(hit.content, hit.vector) for hits in space.recall_many(cues, filter=filter) for hit in hits]

        with pytest.raises(CorruptData):
            read_all()

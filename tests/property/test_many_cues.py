"""Any list of cues finds, as of any generation, what each of them finds alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram import Cue, F, Filter, MemoryStore, Space, StoreOptions
from engram.model.cue import as_cue
from engram.model.filters.filter_like import as_filter, both
from tests.doubles.batches import DIM, vector_of
from tests.doubles.waiting import wait_until_indexed

ROUNDS = 6
IDS = [f"id-{number}" for number in range(40)]
GENERATIONS = ROUNDS * (len(IDS) + 5)
FILTERS: list[Any] = [
    None,
    {},
    Filter(tags={"even"}),
    F.number < 10,
    {"number": 3},
    (F.number >= 5) & ~(F.round == 2),
    {"number": 99},
]
VECTORS = st.integers(0, 30).map(lambda number: vector_of(f"cue {number}"))
TEXTS = st.sampled_from(["pump", "door", "pumps and doors", "never"])
OF_CUE = st.sampled_from(FILTERS)
CUES = st.one_of(
    VECTORS,
    st.builds(lambda vector, filter: Cue(vector, filter=filter), VECTORS, OF_CUE),
    st.builds(lambda text, filter: Cue(text=text, by="words", filter=filter), TEXTS, OF_CUE),
    st.builds(lambda vector, text, filter: Cue(vector, text, "both", filter), VECTORS, TEXTS, OF_CUE),
    st.builds(lambda filter: Cue(filter=filter), OF_CUE),
    st.builds(lambda vector, score: Cue(vector, score_min=score), VECTORS, st.floats(-1, 1, width=16)),
)


# Whether what passes a filter is compared, or searched for in the graph.
@pytest.fixture(scope="module", params=[1000, 0], ids=["exact", "graph"])
def space(request: pytest.FixtureRequest) -> Iterator[Space]:
    """Forty ids that are observed again and again, of which some are deleted in between."""
    with (
        pytest.MonkeyPatch.context() as patched,
        MemoryStore(None, options=StoreOptions(workers=1, search_threads=2)) as store,
    ):
        patched.setattr("engram.store.recall.search._EXACT_COUNT_MAX", request.param)
        space = store.space("notes", dim=DIM)
        for turn in range(ROUNDS):
            space.observe(
                IDS,
                [vector_of(id, turn) for id in IDS],
                [f"{id} is a {'pump' if number % 3 else 'door'} in round {turn}" for number, id in enumerate(IDS)],
                metadata=[{"number": number, "round": turn} for number in range(len(IDS))],
                tags=[[] if number % 2 else ["even"] for number in range(len(IDS))],
            )
            space.delete(IDS[turn : turn + 5])
        assert space.generation == GENERATIONS
        wait_until_indexed(space)
        yield space


def told(hits: Any) -> list[Any]:
    """What hits say, but when they were found."""
    return [[(hit.id, hit.score, hit.generation, hit.content) for hit in hits], hits.generation, hits.incomplete]


@given(st.lists(CUES, max_size=12), st.integers(1, 60), OF_CUE, st.integers(0, GENERATIONS))
def test_many_cues_find_what_each_finds_alone(
    space: Space, cues: list[Any], k: int, common: Any, generation: int
) -> None:
    found = space.recall_many(cues, k, filter=common, max_generation=generation)
    single = [as_cue(cue) for cue in cues]
    joined = [replace(cue, filter=both(cue.conditions, as_filter(common))) for cue in single]
    assert list(map(told, found)) == [told(space.recall(cue, k, max_generation=generation)) for cue in joined]

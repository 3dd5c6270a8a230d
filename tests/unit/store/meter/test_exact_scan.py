"""The exact answer: that of a comparison with everything, as of its generation, whatever came later."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.model.cue import Cue, Filter
from engram.model.query import RecallQuery
from engram.store import MemoryStore, Space
from engram.store.filters.selection import select
from engram.store.meter import exact_scan
from engram.store.recall.ranked import Ranked
from tests.doubles.batches import DIM, vector_of

CUE = vector_of("cue")


def finished(scan: Generator[None, None, Ranked]) -> tuple[list[int], int]:
    """The generations that were found, and the number of pieces."""
    pieces = 0
    while True:
        try:
            next(scan)
        except StopIteration as end:
            return end.value.generations.tolist(), pieces
        pieces += 1


def best(space: Space, cue: Cue, k: int, generation: int) -> list[int]:
    return finished(space._engine.exact_scan.best(RecallQuery(cue, k=k), generation))[0]


def test_nothing_is_returned_of_what_is_dropped_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_scan, "STEP", 4)
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        for version in range(2):
            space.observe(list("abcdefgh"), np.stack([vector_of(id, version) for id in "abcdefgh"]))
        engine = space._engine
        scan = engine.exact_scan.best(RecallQuery(Cue(CUE), k=3), 8)
        next(scan)
        engine._state.attributes.drop(16)
        assert finished(scan)[0] == []
        assert len(best(space, Cue(CUE), 3, 16)) == 3


def test_nothing_is_returned_of_a_space_that_is_dropped_meanwhile() -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        space.observe(list("abcdefgh"), np.stack([vector_of(id) for id in "abcdefgh"]))
        scan = space._engine.exact_scan.best(RecallQuery(Cue(CUE), k=3), 8)
        next(scan)
        store.drop("notes")
        assert finished(scan)[0] == []


def test_nothing_is_returned_of_what_is_erased_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        space.observe(list("abcdefgh"), np.stack([vector_of(id) for id in "abcdefgh"]))

        def select_and_erase(*arguments: Any) -> NDArray[np.int64]:
            chosen = select(*arguments)
            space.erase(["c"])
            return chosen

        with monkeypatch.context() as patch:
            patch.setattr(exact_scan, "select", select_and_erase)
            assert best(space, Cue(CUE), 8, 8) == []
        assert sorted(best(space, Cue(CUE), 8, 8)) == [1, 2, 4, 5, 6, 7, 8]


def similarities(ids: list[str], version: int = 0) -> dict[str, float]:
    vectors = {id: vector_of(id, version) for id in ids}
    return {id: float(v @ CUE / np.linalg.norm(v) / np.linalg.norm(CUE)) for id, v in vectors.items()}


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_all_that_was_alive_is_compared_in_pieces(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_scan, "STEP", step)
    ids = [f"id-{number}" for number in range(30)]
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        space.observe(ids, np.stack([vector_of(id) for id in ids]), tags=[["even"] if n % 2 else [] for n in range(30)])
        space.delete(["id-3"])
        space.observe("id-5", vector_of("id-5", 1))
        sims = similarities(ids)
        ranked = sorted(sims, key=lambda id: -sims[id])
        assert best(space, Cue(CUE), 10, 30) == [ids.index(id) + 1 for id in ranked[:10]]
        later = {id: sim for id, sim in sims.items() if id not in {"id-3", "id-5"}} | {
            "new": similarities(["id-5"], 1)["id-5"]
        }
        generations = {**{id: ids.index(id) + 1 for id in ids}, "new": 32}
        assert best(space, Cue(CUE), 40, 32) == [generations[id] for id in sorted(later, key=lambda id: -later[id])]
        tagged = best(space, Cue(CUE, filter=Filter(tags={"even"})), 40, 30)
        assert sorted(tagged) == list(range(2, 31, 2))
        near = best(space, Cue(CUE, score_min=0.0), 40, 30)
        assert sorted(near) == sorted(ids.index(id) + 1 for id, sim in sims.items() if sim >= 0)
        _, pieces = finished(space._engine.exact_scan.best(RecallQuery(Cue(CUE)), 32))
        assert pieces == -(-32 // step)


def test_of_nothing_nothing_is_best_and_a_cue_needs_a_vector() -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        assert best(space, Cue(CUE), 10, 0) == []
        with pytest.raises(ValueError, match="vector"):
            best(space, Cue(filter=Filter(tags={"a"})), 10, 0)


def test_a_text_is_compared_by_the_embedder_of_its_space() -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=64, embedder="lexical")
        space.observe(["a", "b"], contents=["the pump leaks", "the crew meets at noon"])
        assert best(space, Cue(text="a leaking pump"), 1, 2) == [1]

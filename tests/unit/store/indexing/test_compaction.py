"""What nobody can ask for any more leaves the index; what is retained stays, also after the store was opened again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engram.errors import FailedPrecondition
from engram.store import MemoryStore, StoreOptions

DIM, COUNT, ROUNDS = 16, 200, 8


def rows(round_: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(round_).standard_normal((COUNT, DIM), dtype=np.float32)


def churned(store: MemoryStore) -> None:
    space = store.space("default", dim=DIM)
    for round_ in range(ROUNDS):
        space.observe([f"id-{n}" for n in range(COUNT)], rows(round_))


def options(retained_count: int) -> StoreOptions:
    return StoreOptions(retained_count=retained_count, compaction_count_min=COUNT)


def test_the_dead_leave_an_index_that_need_not_remember(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=options(COUNT)) as store:
        churned(store)
        store.checkpoint()
        space = store.space("default")
        assert space._engine.indexing.compactions > 0
        assert space._engine._state.index.dead_count < COUNT * (ROUNDS - 1)
        newest = space.generation
        before = [space.recall(row, k=3) for row in rows(ROUNDS - 1)[:20]]
        assert [hits[0].id for hits in before] == [f"id-{n}" for n in range(20)]
        # The round before the last is retained: its versions are found as they were.
        then = space.recall(rows(ROUNDS - 2)[5], k=1, max_generation=newest - COUNT)
        assert then[0].id == "id-5"
        assert then[0].score == pytest.approx(1.0, abs=1e-4)
        with pytest.raises(FailedPrecondition, match="no longer retained"):
            space.recall(rows(0)[5], k=1, max_generation=COUNT)
    with MemoryStore(tmp_path, options=options(COUNT)) as store:
        space = store.space("default")
        again = [space.recall(row, k=3) for row in rows(ROUNDS - 1)[:20]]
        assert [[hit.id for hit in hits] for hits in again] == [[hit.id for hit in hits] for hits in before]


def test_everything_is_kept_without_a_limit(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=options(0)) as store:
        churned(store)
        store.checkpoint()
        space = store.space("default")
        assert space._engine._state.index.dead_count == COUNT * (ROUNDS - 1)
        assert space.recall(rows(0)[7], k=1, max_generation=COUNT)[0].id == "id-7"


def test_a_snapshot_that_is_held_keeps_what_it_sees(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=options(COUNT)) as store:
        space = store.space("default", dim=DIM)
        space.observe([f"id-{n}" for n in range(COUNT)], rows(100))
        held = space.snapshot()
        churned(store)
        store.checkpoint()
        assert held.recall(rows(100)[3], k=1)[0].score == pytest.approx(1.0, abs=1e-4)

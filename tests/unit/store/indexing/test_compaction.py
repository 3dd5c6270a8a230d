"""What nobody can ask for any more leaves the index; what is retained stays, also after the store was opened again."""

from __future__ import annotations

from concurrent.futures import wait
from pathlib import Path

import numpy as np
import pytest

from engram.errors import FailedPrecondition
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import MemoryStore, StoreOptions
from engram.store.indexing.compaction_rule import LASTING_S, CompactionRule
from tests.doubles.expiry_clock import ExpiryClock
from tests.doubles.waiting import wait_until_indexed

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


def test_what_expired_beside_more_that_lives_leaves_the_index_though_nothing_is_written_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ExpiryClock()
    clock.use(monkeypatch)
    quiet = StoreOptions(
        compaction_count_min=50, mark_interval_s=3600, scrub_bytes_per_s=0, log_compaction_bytes_per_s=0
    )
    with MemoryStore(tmp_path, options=quiet) as store:
        space = store.space("default", dim=DIM)
        engine = space._engine
        index, indexing = engine._state.index, engine.indexing
        indexing._compaction_rule = CompactionRule(50, lambda: clock.steady_us / 1e6)
        space.set_retention(RetentionPolicy(3600.0, None))
        ttls = [60.0 if number % 2 else None for number in range(COUNT)]
        space.observe([f"old-{number}" for number in range(COUNT)], rows(0), ttl=ttls)
        space.observe([f"new-{number}" for number in range(20)], rows(1)[:20])
        wait_until_indexed(space)
        before = space.snapshot().generation

        def keep_house() -> tuple[int, int]:
            """Do a round of the housekeeping; how many versions the graph has then, and how many of them are dead."""
            store._engine._housekeeping._round()
            # A compaction that was asked for comes before the checkpoint.
            wait([store._engine._checkpointer.request(engine)])
            return len(index), index.dead_count

        clock.go_on(100)
        clock.remove_expired(space)
        assert keep_house() == (220, 100)
        for _ in range(3):
            # Less than as many as stay, and all of it is retained.
            clock.go_on(1000)
            assert keep_house() == (220, 100)
        assert space.count(max_generation=before) == 220
        clock.go_on(1000)
        assert keep_house() == (220, 100), "it has just left the horizon"
        clock.go_on(LASTING_S - 1)
        assert keep_house() == (220, 100)
        clock.go_on(1)
        assert keep_house() == (120, 0)
        assert (indexing.compactions, len(space.recall(rows(0)[0], k=COUNT))) == (1, 120)

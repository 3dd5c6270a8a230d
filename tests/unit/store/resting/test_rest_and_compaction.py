"""Spaces that rest in a store that compacts logs: what is dropped when, and what neither does to the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engram.errors import FailedPrecondition
from engram.maintenance.compact import compact
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter
from engram.model.operations.results import Counted
from engram.model.times import now_us
from engram.model.values.retention_policy import EVERYTHING, RetentionPolicy
from engram.store import MemoryStore, Space, StoreOptions, age_clock
from engram.store.compaction import compaction_thread
from engram.store.filters import columns, plans
from engram.store.housekeeping import Housekeeping
from engram.store.meter import exact_scan
from engram.store.resting.weak_spaces import RestingSpaces, open_spaces
from tests.doubles.batches import DIM, vector_of
from tests.doubles.waiting import wait_until_indexed

IDS = [f"id-{number}" for number in range(20)]
# One space is open at a time, and nothing happens by itself for an hour.
OPTIONS = StoreOptions(
    segment_bytes=64 << 10,
    workers=1,
    mark_interval_s=3600.0,
    scrub_bytes_per_s=0,
    open_spaces_max=1,
    spaces_at_start_max=0,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path, options=OPTIONS) as opened:
        yield opened


def written(store: MemoryStore, rounds: int = 40) -> Space:
    """A space most of whose log is dead and not retained."""
    space = store.space("notes", dim=DIM)
    space.set_retention(RetentionPolicy(None, 0))
    for number in range(rounds):
        vectors = np.array([vector_of(id, number) for id in IDS])
        space.observe(IDS, vectors, [f"{id} of round {number} " + "and more " * 10 for id in IDS])
    return space


def rested(store: MemoryStore) -> None:
    """Use another space, so that the first one comes to rest."""
    store.space("other", dim=DIM).observe("a", vector_of("a"))
    assert store._engine.table.rests("notes")


def log_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in (path / "spaces" / "notes" / "log").iterdir())


def is_whole(space: Space, last: int = 39) -> bool:
    return {hit.content.split(" and")[0] for hit in space.scan()} == {f"{id} of round {last}" for id in IDS}


def test_a_space_that_rests_before_its_turn_is_opened_again_and_compacted(store: MemoryStore, tmp_path: Path) -> None:
    space = written(store)
    before = log_bytes(tmp_path)
    rested(store)
    store._engine._compaction._compact_held("notes")
    assert log_bytes(tmp_path) < before // 2
    # It was opened beside the one that is in use, and rests again.
    assert {engine.config.name for engine in store._engine.spaces()} == {"other"}
    assert store._engine.table.rests("notes")
    assert is_whole(space)


def test_a_space_does_not_come_to_rest_while_its_log_is_compacted(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = written(store)
    names: list[list[str]] = []

    class Pace:
        def __init__(self, *_: object) -> None:
            pass

        def __call__(self, nbytes: int) -> None:
            # Nobody waits for the compaction: there is room for one more.
            store.space(f"other-{len(names) % 3}", dim=DIM).observe("a", vector_of("a"))
            names.append(sorted(engine.config.name for engine in store._engine.spaces()))

    monkeypatch.setattr(compaction_thread, "Pace", Pace)
    engine, before = space._engine, log_bytes(tmp_path)
    engine.retention.advance()
    store._engine._compaction._compact_held("notes")
    assert len(names) > 3
    assert all(len(found) == 2 and "notes" in found for found in names)
    assert log_bytes(tmp_path) < before // 2
    assert not engine.occupancy.rests
    # Now it counts again, and may rest.
    for name in ("other-0", "other-1"):
        store.space(name).observe("a", vector_of("a"))
    assert [engine.config.name for engine in store._engine.spaces()] == ["other-1"]
    assert is_whole(space)


def test_the_thread_is_asked_once_for_each_space_and_keeps_none_in_memory(store: MemoryStore) -> None:
    space = written(store, 1)
    thread = compaction_thread.CompactionThread(1, lambda name: None)
    for _ in range(2):
        thread.request(space._engine)
    assert (thread._queue.get_nowait(), thread._queue.empty()) == ("notes", True)
    thread._compact_held("notes")


def test_what_rests_is_found_due_when_it_is_scrubbed(store: MemoryStore, tmp_path: Path) -> None:
    written(store)
    rested(store)
    inside = store._engine
    due: list[str] = []
    housekeeping = Housekeeping(
        open_spaces(inside.table),
        inside._catalogue,
        StoreOptions(scrub_interval_s=3600),
        compact_log=lambda space: due.append(space.config.name),
        resting=RestingSpaces(inside.table),
    )
    while housekeeping.scrubs == 0:
        housekeeping._scrub()
    assert due == ["notes"]
    assert store.damages() == ()


def test_a_space_does_not_come_to_rest_while_it_is_scrubbed(store: MemoryStore, tmp_path: Path) -> None:
    """Whoever opened it again could replace the segments that the scrub is about to look at."""
    space = written(store)
    inside = store._engine
    housekeeping = Housekeeping(open_spaces(inside.table), inside._catalogue, StoreOptions(scrub_bytes_per_s=1))
    housekeeping._scrub()
    engine = space._engine
    assert engine.occupancy.is_visited
    store.space("other", dim=DIM).observe("a", vector_of("a"))
    assert not engine.occupancy.rests
    engine.retention.advance()
    inside._compaction._compact_held("notes")
    assert engine.log_compaction.freed_bytes
    while housekeeping.scrubs == 0:
        housekeeping._scrub()
    assert not engine.occupancy.is_visited
    assert store.damages() == ()
    store.space("third", dim=DIM).observe("a", vector_of("a"))
    assert engine.occupancy.rests


def test_a_deletion_that_is_queued_keeps_its_space_open(store: MemoryStore) -> None:
    space = written(store, 1)
    wait_until_indexed(space)
    engine = space._engine
    engine.tail.reserve(0)
    assert not engine.retire()
    engine.tail.release(0)
    assert engine.tail.retire()
    engine.tail.unretire()
    assert space.delete(IDS[:5]) == 5
    rested(store)
    assert len(space) == len(IDS) - 5


def test_a_retention_that_is_set_while_the_space_rests_is_recorded(store: MemoryStore) -> None:
    space = written(store)
    engine = space._engine
    rested(store)
    space.set_retention(EVERYTHING)
    assert engine.retention.policy == RetentionPolicy(None, 0)
    rested(store)
    assert space.retention == EVERYTHING


def test_what_was_not_retained_before_the_rest_is_refused_after_it(store: MemoryStore) -> None:
    space = written(store)
    space._engine.retention.advance()
    oldest = space._engine.retention.oldest
    assert oldest > 0
    rested(store)
    with pytest.raises(FailedPrecondition) as refused:
        space.get(IDS[0], max_generation=oldest - 1)
    assert refused.value.code == "snapshot_expired"


def test_a_time_of_day_that_jumped_ahead_is_not_believed_by_who_opens_a_space_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead_us = 0
    monkeypatch.setattr(age_clock, "now_us", lambda: now_us() + ahead_us)
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        space = written(store)
        space.set_retention(RetentionPolicy(3600.0))
        ahead_us = 10**12
        rested(store)
        assert space._engine.retention.oldest == 0
        store._engine._compaction._compact_held("notes")
        assert space.get(IDS[0], max_generation=1) is not None


def resumed(store: MemoryStore) -> list[str]:
    """The spaces at rest that the housekeeping has compacted now."""
    names: list[str] = []
    RestingSpaces(store._engine.table, names.append).resume()
    return names


def test_a_compaction_that_failed_is_told_and_made_again_of_a_space_that_rests(store: MemoryStore) -> None:
    space = written(store)

    def failing(_: int) -> None:
        raise OSError("the disk is gone")

    space._engine.retention.advance()
    with pytest.raises(OSError, match="gone"):
        space._engine.log_compaction.run(failing)
    attempt = space._engine.log_compaction.attempt
    attempt._pause_s = 3600.0
    (problem,) = store.problems()
    assert (problem.name, problem.space) == ("log_compaction_failed", "notes")
    for _ in range(2):
        rested(store)
        assert (store.problems(), resumed(store)) == ((problem,), []), "it rests for a while"
        # Whoever opens the space has not compacted it.
        assert is_whole(space)
        assert store.problems() == (problem,)
    assert space._engine.log_compaction.attempt is attempt
    rested(store)
    attempt._pause_s = 0.0
    assert resumed(store) == ["notes"]
    store._engine._compaction._compact_held("notes")
    assert (store.problems(), resumed(store)) == ((), [])
    assert is_whole(space)


def test_an_erasure_goes_on_while_its_space_rests(store: MemoryStore, tmp_path: Path) -> None:
    space = written(store)
    generation = space.delete(IDS[:1]).generation
    space._engine._erasure.note(IDS[:1], generation)
    rested(store)
    assert resumed(store) == ["notes"]
    store._engine._compaction._compact_held("notes")
    assert (resumed(store), store._engine.table.rests("notes")) == ([], True)
    files = [file.read_bytes() for file in (tmp_path / "spaces" / "notes" / "log").iterdir()]
    assert not any(f"{IDS[0]} of round".encode() in content for content in files)
    assert len(space) == len(IDS) - 1
    assert not space._engine._state.manifest.erasing


def test_a_compaction_of_a_directory_reaches_every_space(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        written(store)
        rested(store)
    before = sorted(os.listdir(tmp_path / "spaces" / "notes" / "log"))
    dry = compact(tmp_path, is_dry=True)
    assert sorted(os.listdir(tmp_path / "spaces" / "notes" / "log")) == before
    report = compact(tmp_path)
    assert [space.name for space in dry.spaces] == [space.name for space in report.spaces] == ["notes", "other"]
    assert dry.spaces[0].freed_bytes == pytest.approx(report.spaces[0].freed_bytes, rel=0.2)
    assert report.spaces[0].freed_bytes > 100_000


def test_a_count_that_is_overtaken_by_a_drop_is_made_anew(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # Chunks of the filter index are small, so that what is dropped leaves it at once.
    for module in (columns, plans, exact_scan):
        monkeypatch.setattr(module, "CHUNK_BITS", 3, raising=False)
        monkeypatch.setattr(module, "CHUNK_ROWS", 1 << 3, raising=False)
    space = written(store, 20)
    engine = space._engine
    count = engine._reader.count
    counts: list[Counted] = []

    def counting(filter: Filter | Condition, generation: int, due_us: int = 0) -> Counted:
        if not counts:
            # All that was counted so far is superseded, and dropped.
            written(store, 40)
            engine.retention.advance()
            store._engine._compaction._compact_held("notes")
        counts.append(count(filter, generation, due_us))
        return counts[-1]

    monkeypatch.setattr(engine._reader, "count", counting)
    assert space.count() == len(IDS)
    assert counts[0] < len(IDS)
    counts.clear()
    newest = space.generation
    with pytest.raises(FailedPrecondition) as refused:
        space.count(max_generation=newest)
    assert refused.value.code == "snapshot_expired"

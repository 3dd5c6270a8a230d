"""What spaces leave behind when they come to rest: problems are told, scans go on, and nothing is opened for that."""

from __future__ import annotations

import errno
import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from engram.errors import AlreadyExists, CorruptData, FailedPrecondition, Unavailable
from engram.model.query import RecallQuery
from engram.store import Cue, MemoryStore, Snapshot, Space, StoreOptions
from engram.store.resting.space_opening import SpaceOpening
from engram.store.space_catalog import StoredSpace
from engram.store.space_engine import SpaceEngine
from tests.unit.store.resting.test_resting_spaces import DIM, NAMES, OPTIONS, VECTOR, contents, filled, open_names


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path, options=OPTIONS) as opened:
        yield opened


def rested(store: MemoryStore, space: Space) -> None:
    """Use all other spaces, so that `space` comes to rest."""
    for name in NAMES:
        if name != space.name:
            contents(store.space(name))
    assert space.name not in open_names(store)


def test_a_scan_sees_what_was_written_after_the_space_rested(store: MemoryStore) -> None:
    first, *_ = filled(store)
    scan = first.scan()
    rested(store, first)
    first.observe("more", VECTOR)
    rested(store, first)
    assert [hit.id for hit in scan] == ["only", "more"]
    assert (len(first), "more" in first, first.count()) == (2, True, 2)


def test_a_scan_that_has_begun_keeps_its_space_open(store: MemoryStore) -> None:
    first, *others = filled(store)
    first.observe("more", VECTOR)
    scan = iter(first.scan(page_size=1))
    assert next(scan).id == "only"
    assert [contents(space) for space in others]
    assert first.name in open_names(store)
    first.clear()
    assert [hit.id for hit in scan] == ["more"]


def test_a_cursor_goes_on_after_a_rest_though_its_generation_is_not_retained(tmp_path: Path) -> None:
    options = StoreOptions(open_spaces_max=3, spaces_at_start_max=0, workers=1, scrub_bytes_per_s=0, retained_count=1)
    with MemoryStore(tmp_path, options=options) as store:
        first, *_ = filled(store)
        first.observe([f"more-{number}" for number in range(3)], np.ones((3, DIM)))
        page = next(iter(first.scan(page_size=2).pages()))
        for _ in range(2):
            rested(store, first)
            first.clear()
            first.observe(["late"], [VECTOR])
        rested(store, first)
        assert [hit.id for hit in first.scan(page_size=2, cursor=page.cursor)] == ["more-1", "more-2"]
        with pytest.raises(FailedPrecondition, match="no longer retained"):
            list(first.scan(max_generation=1))


def test_deletion_by_filter_reaches_spaces_that_rest(store: MemoryStore) -> None:
    for space in filled(store):
        assert space.delete(filter={"deck": 2}, dry_run=True) == 0
    for space in store.spaces():
        assert space.clear() == 1
        assert len(space) == 0


def test_damage_is_told_of_a_space_that_rests_again(store: MemoryStore) -> None:
    first, *_ = filled(store)
    store._engine.space(first.name).damages.report("log/here", 8, 1, 1, "a record is damaged")
    (before,) = store.problems()
    assert (before.name, before.space, store.health) == ("damaged", first.name, "degraded")
    rested(store, first)
    (problem,) = store.problems()
    assert (problem.name, problem.space, problem.message) == ("damaged", first.name, before.message)
    assert store.damaged_count == 1
    assert first.name not in open_names(store)
    assert contents(first) == [f"of {first.name}"]
    (after,) = store.problems()
    assert (after.name, after.space) == ("damaged", first.name)


def test_a_space_that_cannot_be_opened_has_failed_from_its_first_use_on(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        filled(store)
    manifest = tmp_path / "spaces" / NAMES[0] / "space.json"
    sound = manifest.read_bytes()
    manifest.write_bytes(b"no manifest")
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        assert store.problems() == ()
        for _ in range(2):
            with pytest.raises(CorruptData):
                store.space(NAMES[0])
            (problem,) = store.problems()
            assert (problem.name, problem.space, problem.level) == ("not_opened", NAMES[0], "failed")
        assert contents(store.space(NAMES[1])) == [f"of {NAMES[1]}"]
    manifest.write_bytes(sound)
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        assert contents(store.space(NAMES[0])) == [f"of {NAMES[0]}"]
        assert store.problems() == ()


def test_a_scan_that_is_dropped_lets_go_of_its_space_at_once(store: MemoryStore) -> None:
    space = store.space("notes", dim=DIM)
    space.observe(["a", "b", "c"], np.ones((3, DIM)))
    retention = store._engine.space("notes").retention
    gc.disable()
    try:
        scan = space.scan(page_size=1)
        assert next(scan).id == "a"
        assert retention.is_held
        del scan
        assert not retention.is_held
    finally:
        gc.enable()


def test_a_space_that_failed_rests_and_takes_writes_once_its_log_has_been_read_again(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = filled(store)

    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(first._engine._state.index, "publish", fail)
        for id in ("more", "none"):
            with pytest.raises(Unavailable):
                first.observe(id, VECTOR)
    rested(store, first)
    (problem,) = store.problems()
    assert (problem.name, problem.space, store.health) == ("commit_failed", first.name, "failed")
    first.observe("most", VECTOR)
    assert {hit.id for hit in first.scan()} == {"only", "more", "most"}
    assert store.problems() == ()


def test_a_space_whose_disk_refused_a_sync_takes_no_writes_before_somebody_has_seen_to_the_disk(
    tmp_path: Path,
) -> None:
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        first, *_ = filled(store)
        first._engine._state.log._fail_to_sync(OSError(errno.EIO, "the disk is gone"))
        for _ in range(2):
            rested(store, first)
            assert [problem.name for problem in store.problems()] == ["sync_refused"]
            assert contents(first) == [f"of {first.name}"]
            with pytest.raises(Unavailable) as refused:
                first.observe("more", VECTOR)
            assert (refused.value.code, refused.value.is_transient) == ("log_failed", False)
            assert [problem.name for problem in first.stats().problems] == ["sync_refused"]
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        store.space(NAMES[0]).observe("more", VECTOR)
        assert store.problems() == ()


def test_a_space_that_cannot_be_read_now_is_told_and_opened_as_soon_as_it_can_be(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = filled(store)
    store._engine.space(first.name).damages.report("log/here", 8, 1, 1, "a record is damaged")
    rested(store, first)
    resting = store._engine._housekeeping._resting
    assert resting is not None

    def refuse(opening: SpaceOpening, name: str) -> SpaceEngine:
        raise Unavailable("the disk says nothing", code="read_only", field="disk")

    def use() -> None:
        assert contents(first) == [f"of {first.name}"]

    for heal in (resting.retry, use):
        with monkeypatch.context() as patch:
            patch.setattr(SpaceOpening, "known", refuse)
            with pytest.raises(Unavailable):
                contents(first)
            # Others try in vain, and nobody forgets it.
            resting.retry()
        assert list(store.unsound) == [first.name]
        assert {(problem.name, problem.space) for problem in store.problems()} == {
            ("not_opened", first.name),
            ("damaged", first.name),
        }
        series = [(sample.name, *sorted(sample.labels.items())) for sample in store.metrics()]
        assert len(series) == len(set(series)), "a value was reported twice"
        heal()
        assert (store.unsound, [problem.name for problem in store.problems()]) == ({}, ["damaged"])
        rested(store, first)


@pytest.mark.parametrize("code", ["too_many_files", "no_memory"])
def test_a_shortage_is_no_problem_of_a_space(store: MemoryStore, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *_ = filled(store)

    def refuse(opening: SpaceOpening, name: str) -> SpaceEngine:
        raise Unavailable("something is short", code=code)

    with monkeypatch.context() as patch:
        patch.setattr(SpaceOpening, "known", refuse)
        with pytest.raises(Unavailable):
            contents(first)
    assert (store.unsound, store.problems()) == ({}, ())
    assert contents(first) == [f"of {first.name}"]


def test_a_space_that_was_made_and_could_not_be_opened_is_there(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = store._engine.table._opening

    def failing(error: Exception) -> Callable[[StoredSpace], SpaceEngine]:
        def fail(_: StoredSpace) -> SpaceEngine:
            raise error

        return fail

    with monkeypatch.context() as patch:
        patch.setattr(opening, "_open_space", failing(Unavailable("no memory", code="no_memory")))
        with pytest.raises(Unavailable):
            store.space("notes", dim=DIM)
        patch.setattr(opening, "_open_space", failing(RuntimeError("a defect")))
        with pytest.raises(CorruptData):
            store.space("other", dim=DIM)
    store.space("notes", create=False).observe("only", VECTOR)
    assert [space.name for space in store.spaces()] == ["notes"]
    assert list(store.unsound) == ["other"]
    with pytest.raises(AlreadyExists):
        store.space("notes", dim=DIM + 1)


def erased(store: MemoryStore, space: Space, id: str) -> None:
    """Have the space rest, and erase something in the engine that takes the place of this one."""
    rested(store, space)
    assert space.erase([id]).count == 1


def test_what_was_begun_before_a_rest_serves_nothing_of_what_was_erased_after_it(store: MemoryStore) -> None:
    first, *_ = filled(store)
    first.observe([f"id-{number}" for number in range(5)], np.ones((5, DIM)))
    streams = [first.recall_stream(VECTOR, batch_size=2) for _ in range(2)]
    assert len(next(streams[0])) == 2
    engine = first._engine
    late = engine.open(RecallQuery(Cue(VECTOR)))
    erased(store, first, "id-3")
    for stream in (*streams, late):
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                stream.next_batch()
            assert (caught.value.code, caught.value.is_transient) == ("erased", True)
    with pytest.raises(Unavailable) as caught:
        engine.answer(RecallQuery(Cue(VECTOR)))
    assert caught.value.code == "erased"
    again = first.recall_stream(VECTOR, batch_size=2)
    assert {hit.id for batch in again for hit in batch} == {"only", "id-0", "id-1", "id-2", "id-4"}


def test_a_stream_outlives_an_erasure_of_its_own_engine_and_a_rest_without_one(store: MemoryStore) -> None:
    first, *_ = filled(store)
    first.observe([f"id-{number}" for number in range(5)], np.ones((5, DIM)))
    for _ in range(2):
        stream = first.recall_stream(VECTOR, batch_size=1)
        found = [hit.id for hit in next(stream)]
        first.observe("late", VECTOR)
        assert first.erase(["late"]).count == 1
        rested(store, first)
        assert len(contents(first)) == 6
        found += [hit.id for batch in stream for hit in batch]
        assert sorted(found) == ["id-0", "id-1", "id-2", "id-3", "id-4", "only"]


def test_an_erasure_that_another_engine_goes_on_with_ends_what_was_begun_before_it(store: MemoryStore) -> None:
    first, *others = filled(store)
    stream = first.recall_stream(VECTOR, batch_size=1)
    generation = first.delete(["only"]).generation
    engine = first._engine
    engine._erasure.note(["only"], generation)
    assert [hit.id for hit in next(stream)] == ["only"]
    # It comes to rest, and may be open again before all others were used: what was begun goes on in the background.
    assert [contents(space) for space in others]
    assert first._engine is not engine
    assert len(first) == 0
    with pytest.raises(Unavailable) as caught:
        stream.next_batch()
    assert caught.value.code == "erased"


def test_a_snapshot_is_of_an_engine_that_does_not_rest(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *_ = filled(store)
    engine = first._engine
    snapshot = engine.snapshot

    def late(*arguments: int | None) -> Snapshot:
        # As if others came between looking for the engine and asking it.
        for name in NAMES[1:]:
            contents(store.space(name))
        return snapshot(*arguments)

    monkeypatch.setattr(engine, "snapshot", late)
    held = first.snapshot()
    assert not engine.occupancy.rests
    assert first.erase(["only"]).count == 1
    assert (first._engine is engine, held.get("only"), first.get(["only"])) == (True, None, [None])

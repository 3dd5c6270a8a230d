"""Each failure of a space is provoked, named, and ends when its reason does."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engram.errors import CorruptData, Unavailable
from engram.log.files.file_storage import FileStorage
from engram.metrics import table
from engram.model.observations import ObservationBatch
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.commit.queue import CommitRequest
from engram.store.compaction.pace import Pace, Stopped
from engram.store.indexing import attempt
from engram.store.space_engine import SpaceEngine
from tests.doubles.batches import DIM, batch_of, vector_of
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.stored_ids import live_ids, observe
from tests.doubles.stores import store_on
from tests.doubles.waiting import wait_until_indexed

SMALL_SEGMENTS = StoreOptions(segment_bytes=1 << 16, mark_interval_s=3600)


def names(space: Space) -> list[str]:
    return [problem.name for problem in space.stats().problems]


def levels(store: MemoryStore, space: Space) -> tuple[str, str]:
    """The health of the space, and of the store, which is the same in all ways to ask."""
    found = space.stats()
    own = {problem for problem in store.problems() if problem.space == space.name}
    assert set(found.problems) == own
    number = ("ok", "degraded", "failed").index(found.health)
    assert store.metrics().value(table.HEALTH, memory_space=space.name) == number
    return found.health, store.health


@pytest.fixture
def storage() -> FaultyStorage:
    return FaultyStorage()


@pytest.fixture
def store(storage: FaultyStorage) -> Iterator[MemoryStore]:
    with store_on(storage=storage, options=SMALL_SEGMENTS) as store:
        yield store


@pytest.fixture
def space(store: MemoryStore) -> Space:
    return store.space("notes", dim=DIM)


def test_a_sound_space_has_no_problem(store: MemoryStore, space: Space) -> None:
    observe(space, "a")
    assert levels(store, space) == ("ok", "ok")
    assert (store.problems(), space.stats().problems) == ((), ())


def test_a_refused_sync_is_named_until_the_store_is_opened_again(
    store: MemoryStore, space: Space, storage: FaultyStorage
) -> None:
    other = store.space("other", dim=DIM)
    storage.faults.pending.append(Fault("sync", errno.EIO))
    with pytest.raises(Unavailable):
        observe(space, "a")
    assert names(space) == ["sync_refused"]
    assert levels(store, space) == ("failed", "failed")
    assert levels(store, other) == ("ok", "failed")
    with pytest.raises(Unavailable):
        observe(space, "b")
    assert names(space) == ["sync_refused"]
    with store_on(storage=storage.after_kill()) as again:
        assert levels(again, again.space("notes")) == ("ok", "ok")


def test_a_log_that_cannot_undo_a_write_is_named(store: MemoryStore, space: Space, storage: FaultyStorage) -> None:
    storage.faults.pending += [Fault("write", errno.EIO), Fault("write", errno.EIO)]
    with pytest.raises(Unavailable):
        observe(space, "a")
    assert (names(space), levels(store, space)) == (["log_failed"], ("failed", "failed"))


def test_a_file_system_that_became_read_only_is_named(space: Space, storage: FaultyStorage) -> None:
    storage.faults.pending += [Fault("write", errno.EROFS), Fault("write", errno.EROFS)]
    with pytest.raises(Unavailable):
        observe(space, "a")
    assert names(space) == ["read_only"]


def test_a_commit_that_fails_is_named_without_what_it_held(
    space: Space, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(space._engine._state.index, "publish", fail)
    with pytest.raises(Unavailable):
        observe(space, "a")
    (problem,) = space.stats().problems
    assert (problem.name, problem.level) == ("commit_failed", "failed")
    assert "secret" not in problem.message
    assert "secret" not in "".join(record.getMessage() for record in caplog.records)


def test_a_store_that_was_opened_to_be_read_is_not_ill(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        observe(store.space("notes", dim=DIM), "a")
    with MemoryStore(tmp_path, read_only=True) as store:
        assert levels(store, store.space("notes")) == ("ok", "ok")
    assert store.problems() == (), "a closed store has no problems"


def test_damage_degrades_a_space(store: MemoryStore, space: Space) -> None:
    observe(space, "a")
    space._engine.damages.report("log/1", 512, 1, 1, "it was flipped")
    space._engine.damages.report("log/1", 1024, 1, 1, "it was flipped")
    (problem,) = space.stats().problems
    assert problem.name == "damaged"
    assert problem.message.endswith("it was flipped, and 1 more")
    assert levels(store, space) == ("degraded", "degraded")


def test_a_space_that_is_not_opened_has_failed(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        observe(store.space("notes", dim=DIM), "a")
        store.space("sound", dim=DIM)
    (tmp_path / "spaces" / "notes" / "space.json").write_text("{")
    with MemoryStore(tmp_path) as store:
        (problem,) = store.problems()
        assert (problem.name, problem.space, problem.level) == ("not_opened", "notes", "failed")
        assert problem.message == store.unsound["notes"].message
        assert store.space("sound").stats().health == "ok"
        assert store.metrics().value(table.HEALTH, memory_space="notes") == 2


def test_a_damaged_list_of_spaces_degrades_the_store(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        store.space("notes", dim=DIM)
    (tmp_path / "store.json").write_text("{")
    with MemoryStore(tmp_path) as store:
        assert [(problem.name, problem.space) for problem in store.problems()] == [("damaged", "")]
        assert store.metrics().value(table.HEALTH, memory_space="") == 1


# ---- a full disk ----------------------------------------------------------------------------------------------------


def of_bytes(id: str, nbytes: int) -> ObservationBatch:
    """An observation with a text of so many bytes."""
    return replace(batch_of([id]), contents=["x" * nbytes])


def test_writes_go_on_as_soon_as_their_size_fits(store: MemoryStore, space: Space, storage: FaultyStorage) -> None:
    storage.faults.room = 0
    with pytest.raises(Unavailable) as refusal:
        observe(space, "a")
    assert (refusal.value.code, refusal.value.limit, refusal.value.value) == ("disk_full", "0", "8192")
    assert "a write needs 8192 bytes, and 0 are free" in refusal.value.message
    (problem,) = space.stats().problems
    assert (problem.name, problem.message) == ("disk_full", refusal.value.message)
    assert levels(store, space) == ("failed", "failed")
    storage.faults.room = 8191
    with pytest.raises(Unavailable):
        observe(space, "a")
    # Far less than a segment: the problem is over before anybody writes.
    storage.faults.room = 8192
    assert levels(store, space) == ("ok", "ok")
    observe(space, "a")
    assert live_ids(space) == ["a"]


def test_what_fits_is_stored_while_something_larger_is_refused(space: Space, storage: FaultyStorage) -> None:
    observe(space, "a")
    storage.faults.room = 100_000
    with pytest.raises(Unavailable) as refusal:
        space._engine.submit(of_bytes("large", 2_000_000)).result()
    assert int(refusal.value.value) > 2_000_000
    assert refusal.value.limit == "100000"
    observe(space, "b")
    assert names(space) == ["disk_full"], "the large one would still find no room"
    storage.faults.room = 3_000_000
    assert names(space) == []
    space._engine.submit(of_bytes("large", 2_000_000)).result()
    assert live_ids(space) == ["a", "b", "large"]


def test_a_group_that_does_not_fit_is_stored_as_far_as_it_does(space: Space, storage: FaultyStorage) -> None:
    """Also deletions: they need no more room than the segment in use still has."""
    observe(space, "a", "b")
    storage.faults.room = 0
    outcomes: list[Any] = []
    requests = [
        CommitRequest(space=space._engine, batch=of_bytes("large", 2_000_000), delete_ids=None, done=outcomes.append),
        CommitRequest(space=space._engine, batch=None, delete_ids=["a"], done=outcomes.append),
        CommitRequest(space=space._engine, batch=batch_of(["c"]), delete_ids=None, done=outcomes.append),
    ]
    for request in requests:
        space._engine.admit(request)
    space._engine.commit(requests)
    assert isinstance(outcomes[0], Unavailable)
    assert outcomes[0].code == "disk_full"
    assert [outcome.count for outcome in outcomes[1:]] == [1, 1]
    assert live_ids(space) == ["b", "c"]


def test_a_full_disk_without_numbers_is_over_when_it_gives_room(space: Space, storage: FaultyStorage) -> None:
    """As under a quota, of which the free bytes do not tell."""
    storage.faults.pending.append(Fault("create", errno.EDQUOT, times=3))
    with pytest.raises(Unavailable) as refusal:
        observe(space, "a")
    assert refusal.value.code == "disk_full"
    assert names(space) == ["disk_full"]
    storage.faults.pending.clear()
    assert names(space) == ["disk_full"]
    observe(space, "a")
    assert names(space) == []


def test_the_segment_of_a_nearly_full_disk_is_what_fits(space: Space, storage: FaultyStorage) -> None:
    storage.faults.room = 40_000
    for number in range(6):
        observe(space, f"id-{number}")
    sizes = [len(segment.view) for segment in space._engine._state.log.segments]
    assert sizes == [16_384], "a quarter of what is taken else"
    assert len(live_ids(space)) == 6


# ---- what is tried again by itself ----------------------------------------------------------------------------------


@pytest.fixture
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is due again at once."""
    monkeypatch.setattr(attempt.Attempt, "is_due_again", property(lambda self: self.failure is not None))


def rounds(store: MemoryStore, monkeypatch: pytest.MonkeyPatch, first: Callable[[], None] = lambda: None) -> list[str]:
    """Do a round of the housekeeping; which checkpoints it asks for, each of which is waited for.

    Before one is asked for, `first` is called.
    """
    checkpointer, asked, own = store._engine._checkpointer, list[str](), threading.get_ident()
    request = checkpointer.request

    def requested(space: SpaceEngine) -> Future[int]:
        if threading.get_ident() != own:
            return request(space)
        asked.append(space.config.name)
        first()
        future = request(space)
        wait([future])
        return future

    with monkeypatch.context() as patch:
        patch.setattr(checkpointer, "request", requested)
        store._engine._housekeeping._round()
    return asked


def test_a_failed_checkpoint_is_named_and_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_rest: None, caplog: pytest.LogCaptureFixture
) -> None:
    with MemoryStore(tmp_path, options=SMALL_SEGMENTS) as store:
        space = store.space("notes", dim=DIM)
        observe(space, "a")
        wait_until_indexed(space)
        assert rounds(store, monkeypatch) == [], "none is due"
        rename, full = FileStorage.rename, True

        def refuse(storage: FileStorage, old: str, new: str) -> None:
            if full and new.endswith(".checkpoint"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rename(storage, old, new)

        monkeypatch.setattr(FileStorage, "rename", refuse)
        with pytest.raises(Unavailable):
            store.checkpoint()
        assert names(space) == ["checkpoint_failed"]
        assert levels(store, space) == ("degraded", "degraded")
        observe(space, "b")
        for _ in range(3):
            assert rounds(store, monkeypatch) == ["notes"]
            assert names(space) == ["checkpoint_failed"]

        def give_room() -> None:
            nonlocal full
            full = False

        assert rounds(store, monkeypatch, give_room) == ["notes"]
        assert levels(store, space) == ("ok", "ok")
        assert space.stats().checkpoint_generation >= 1
    lines = [record.getMessage() for record in caplog.records if "checkpoint" in record.getMessage()]
    assert len(lines) == 2, "one when it begins and one when it ends"


def test_a_failed_compaction_of_the_graph_is_named_and_made_again(
    monkeypatch: pytest.MonkeyPatch, no_rest: None, caplog: pytest.LogCaptureFixture
) -> None:
    options = StoreOptions(retained_count=1, compaction_count_min=10, mark_interval_s=3600)
    with MemoryStore(None, options=options) as store:
        space = store.space("notes", dim=DIM)
        index = space._engine._state.index
        compact, fails = index.compact, True

        def failing(*arguments: Any, **keywords: Any) -> int:
            if fails:
                raise CorruptData("pages are lost")
            return compact(*arguments, **keywords)

        monkeypatch.setattr(index, "compact", failing)
        for version in range(5):
            observe(space, *(f"id-{number}" for number in range(10)), version=version)
        wait_until_indexed(space)
        # Who linked asks for the first one, a moment later; the rounds repeat what failed.
        wait([store._engine._checkpointer.request(space._engine)])
        for _ in range(3):
            assert rounds(store, monkeypatch) == ["notes"]
            assert names(space) == ["graph_compaction_failed"]
        assert space.stats().problems[0].message == "pages are lost"
        assert levels(store, space) == ("degraded", "degraded")
        assert len(live_ids(space)) == 10

        def mend() -> None:
            nonlocal fails
            fails = False

        assert rounds(store, monkeypatch, mend) == ["notes"]
        assert levels(store, space) == ("ok", "ok")
        assert space._engine.indexing.compactions > 0
    assert len([each for each in caplog.records if "graph_compaction_failed" in each.getMessage()]) == 2


def test_a_failed_compaction_of_the_log_is_named_and_made_again(
    storage: FaultyStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(SMALL_SEGMENTS, log_compaction_bytes_per_s=0)
    with store_on(storage=storage, options=options) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        for version in range(40):
            observe(space, *(f"id-{number}" for number in range(40)), version=version)
        engine = space._engine
        engine.retention.advance()
        assert engine.log_compaction.is_due()
        monkeypatch.setattr(storage.faults, "room", 0)
        with pytest.raises(Unavailable):
            engine.log_compaction.run(Pace(0, lambda: True))
        assert names(space) == ["log_compaction_failed"]
        assert levels(store, space) == ("degraded", "degraded")
        assert not engine.log_compaction.is_due(), "it rests for a while"
        monkeypatch.setattr(engine.log_compaction.attempt, "_retry_s", 0.0)
        assert engine.log_compaction.is_due()
        monkeypatch.setattr(storage.faults, "room", None)
        engine.log_compaction.run(Pace(0, lambda: True))
        assert levels(store, space) == ("ok", "ok")
        assert engine.log_compaction.compactions > 0


def test_a_compaction_of_the_log_that_is_stopped_has_not_failed(storage: FaultyStorage) -> None:
    options = replace(SMALL_SEGMENTS, log_compaction_bytes_per_s=0)
    with store_on(storage=storage, options=options) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        for version in range(40):
            observe(space, *(f"id-{number}" for number in range(40)), version=version)
        engine = space._engine
        engine.retention.advance()
        with pytest.raises(Stopped):
            engine.log_compaction.run(Pace(0, lambda: False))
        assert names(space) == []


def test_a_mark_that_cannot_be_written_is_named_until_it_is(
    store: MemoryStore, space: Space, storage: FaultyStorage
) -> None:
    observe(space, "a")
    storage.faults.pending.append(Fault("replace", errno.EIO, times=1_000))
    observe(space, "b")
    store._engine._housekeeping._round()
    assert names(space) == ["not_noted"]
    assert levels(store, space) == ("degraded", "degraded")
    storage.faults.pending.clear()
    store._engine._housekeeping._round()
    assert levels(store, space) == ("ok", "ok")


def test_a_list_of_spaces_that_cannot_be_written_is_named_until_it_is(
    store: MemoryStore, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    housekeeping = store._engine._housekeeping
    monkeypatch.setattr("engram.store.housekeeping._ROUNDS_PER_NOTE", 1)
    with monkeypatch.context() as patch:
        patch.setattr(housekeeping, "note", lambda: (_ for _ in ()).throw(Unavailable("no", code="disk_full")))
        housekeeping._round()
    assert [(each.name, each.space) for each in store.problems()] == [("not_noted", "")]
    assert levels(store, space) == ("ok", "degraded")
    housekeeping._round()
    assert store.problems() == ()


def test_what_cannot_be_read_to_be_checked_is_named_until_it_can(
    store: MemoryStore, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    housekeeping = store._engine._housekeeping

    def unreadable() -> Iterator[int]:
        raise OSError(errno.EMFILE, "too many")
        yield 0

    observe(space, "a")
    with monkeypatch.context() as patch:
        patch.setattr(space._engine, "scrub", unreadable)
        while housekeeping.scrubs == 0:
            housekeeping._round()
    assert names(space) == ["scrub_failed"]
    assert housekeeping._scrub_due_s < time.monotonic() + 61, "it is read again soon"
    housekeeping._scrub_due_s = 0
    while housekeeping.scrubs == 1:
        housekeeping._round()
    assert names(space) == []


def test_work_that_failed_rests_before_it_is_due_again() -> None:
    now = 0.0
    work = attempt.Attempt(10, lambda: now)
    assert (work.is_resting, work.is_due_again) == (False, False)
    with pytest.raises(KeyError), work.made():
        raise KeyError("secret")
    assert (work.failure, work.is_resting, work.is_due_again) == ("it ended with KeyError", True, False)
    now = 10.0
    assert (work.is_resting, work.is_due_again) == (False, True)
    with work.made():
        pass
    assert (work.failure, work.is_resting, work.is_due_again) == (None, False, False)


def test_recalls_go_on_where_writes_fail(space: Space, storage: FaultyStorage) -> None:
    observe(space, "a")
    storage.faults.pending.append(Fault("sync", errno.EIO))
    with pytest.raises(Unavailable):
        observe(space, "b")
    assert [hit.id for hit in space.recall(vector_of("a"))] == ["a"]

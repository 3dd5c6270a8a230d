"""What failed and is tried again by itself is named until it succeeds, and rests in between."""

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
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.compaction.pace import Pace, Stopped
from engram.store.indexing import attempt
from engram.store.space_engine import SpaceEngine
from tests.doubles.batches import DIM
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.stored_ids import live_ids, observe
from tests.doubles.stores import store_on
from tests.doubles.waiting import wait_until_indexed
from tests.unit.store.health.levels import SMALL_SEGMENTS, levels, names


@pytest.fixture
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is due again at once."""
    monkeypatch.setattr(attempt.Attempt, "is_due_again", property(lambda self: self.failure is not None))


def rounds(store: MemoryStore, monkeypatch: pytest.MonkeyPatch, first: Callable[[], None] = lambda: None) -> list[str]:
    """Do a round of the housekeeping; of which spaces it asks for what is due, each of which is waited for.

    Before something is asked for, `first` is called.
    """
    checkpointer, asked, own = store._engine._checkpointer, list[str](), threading.get_ident()
    request, serve, served = checkpointer.request_due, checkpointer._serve, threading.Semaphore(0)

    def serving(space: SpaceEngine, future: Future[int] | None) -> None:
        serve(space, future)
        served.release()

    def requested(space: SpaceEngine) -> None:
        if threading.get_ident() != own:
            request(space)
            return
        asked.append(space.config.name)
        first()
        with monkeypatch.context() as patch:
            patch.setattr(checkpointer, "_serve", serving)
            request(space)
            assert served.acquire(timeout=60)

    with monkeypatch.context() as patch:
        patch.setattr(checkpointer, "request_due", requested)
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


def test_a_compaction_that_fails_again_and_again_has_no_checkpoint_written_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_rest: None
) -> None:
    options = StoreOptions(retained_count=1, compaction_count_min=10, mark_interval_s=3600)
    with MemoryStore(tmp_path, options=options) as store:
        space = store.space("notes", dim=DIM)

        def failing(*arguments: Any, **keywords: Any) -> int:
            raise CorruptData("pages are lost")

        monkeypatch.setattr(space._engine._state.index, "compact", failing)
        for version in range(5):
            observe(space, *(f"id-{number}" for number in range(10)), version=version)
        wait_until_indexed(space)
        store.checkpoint()
        assert names(space) == ["graph_compaction_failed"]
        for version in range(5, 8):
            # Far less than has a checkpoint written.
            observe(space, *(f"id-{number}" for number in range(10)), version=version)
            wait_until_indexed(space)
            assert rounds(store, monkeypatch) == ["notes"]
        assert (names(space), space.stats().checkpoints) == (["graph_compaction_failed"], 1)
        store.checkpoint()
        assert space.stats().checkpoints == 2, "whoever asks for one gets it"


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


def test_work_that_is_being_done_again_is_not_due_and_rests_longer_each_time_it_fails() -> None:
    now = 0.0
    work = attempt.Attempt(10, lambda: now)
    states, pauses = list[tuple[bool, bool]](), list[float]()

    def fail_late() -> None:
        nonlocal now
        has_failed = work.failure is not None
        with work.made():
            # It takes far longer than it rests.
            now += 1000
            states.append((work.is_due_again, work.is_resting == has_failed))
            raise KeyError

    for _ in range(8):
        with pytest.raises(KeyError):
            fail_late()
        failed = now
        while not work.is_due_again:
            now += 5
        pauses.append(now - failed)
    assert set(states) == {(False, True)}
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]
    with work.made():
        pass
    with pytest.raises(KeyError), work.made():
        raise KeyError
    now += 10
    assert work.is_due_again, "it rests as long as after a first failure"


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
        monkeypatch.setattr(engine.log_compaction.attempt, "_pause_s", 0.0)
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

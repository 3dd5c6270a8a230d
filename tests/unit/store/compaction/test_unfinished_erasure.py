"""Erasures that fail, wait, or go on by themselves: none is forgotten, and none keeps other work from being done."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from engram.errors import CorruptData, OverCapacity, Unavailable
from engram.log.files.file_storage import FileStorage
from engram.maintenance.verify import verify
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import MemoryStore, Space
from engram.store.compaction.pace import Pace, Stopped
from tests.doubles.erasures import AGAIN, COUNT, DIM, QUIET, fill, finish, found, traces
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.stores import store_on
from tests.doubles.waiting import wait_until_indexed


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(tmp_path / "data", options=QUIET)


def test_an_erasure_that_failed_goes_on_by_itself(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of its steps fails, and also after the space was closed meanwhile."""
    steps = 0
    for step in range(100):
        directory = tmp_path / f"data-{step}"
        with MemoryStore(directory, options=QUIET) as broken:
            space = broken.space("notes", dim=DIM)
            fill(space)
            wait_until_indexed(space)
            broken.checkpoint()
            with monkeypatch.context() as patch:
                left = failing_after(step, patch)
                if not erased(space, "person-5@home", "person-300@home"):
                    steps += 1
                elif left[0] > 0:
                    break
            noted = bool(space._engine._state.manifest.erasing)
            if step % 2:
                finish(space)
        with MemoryStore(directory, options=QUIET) as again:
            space = again.space("notes")
            finish(space)
            if not noted:
                # Whoever asked for it was told that it failed.
                space.erase(["person-5@home", "person-300@home"])
            assert not space._engine._state.manifest.erasing
            assert len(space) == COUNT - 2
            assert again.scrub() == ()
        for number in (5, 300):
            assert [trace for trace in traces(number, 0) if found(directory, trace)] == []
        assert verify(directory).is_sound
    assert steps > 8


def failing_after(count: int, patch: pytest.MonkeyPatch) -> list[int]:
    """Let the call of a storage that follows `count` others fail; return how many are left."""
    left = [count]

    def failing(does: object) -> object:
        def done(*arguments: object, **keywords: object) -> object:
            left[0] -= 1
            if left[0] == -1:
                raise OSError(5, "it failed")
            return does(*arguments, **keywords)  # type: ignore[operator]

        return done

    for name in ("create", "replace", "remove", "rename"):
        patch.setattr(FileStorage, name, failing(getattr(FileStorage, name)))
    return left


def erased(space: Space, *ids: str) -> bool:
    """Erase, and return whether it succeeded."""
    try:
        space.erase(ids)
    except Unavailable:
        return False
    return True


def test_so_much_can_be_under_way_and_no_more(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engram.store.compaction.erasure._NOTED_MAX", 3)
    with store:
        space = store.space("notes", dim=DIM)
        fill(space)
        erasure, manifest = space._engine._erasure, space._engine._state.manifest
        noted = erasure.note(["a", "b", "c"], 5)
        erasure.note(["b"], 9)
        with pytest.raises(OverCapacity) as refused:
            erasure.note(["c", "d", "e"], 5)
        assert (refused.value.code, refused.value.field) == ("too_many_erasures", "ids")
        assert (refused.value.limit, refused.value.value) == ("3", "5")
        assert refused.value.message.endswith(AGAIN)
        assert manifest.erasing.keys() == set(noted)
        assert erasure._counts.keys() == set(noted)


def test_what_cannot_be_noted_has_to_be_erased_again_and_says_so() -> None:
    storage = FaultyStorage()
    with store_on(storage=storage, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        space.observe("a", np.ones(DIM), "a secret")
        storage.faults.pending.append(Fault("replace", errno.ENOSPC))
        with pytest.raises(Unavailable) as refused:
            space.erase(["a"])
        assert (refused.value.code, str(refused.value)) == ("disk_full", refused.value.message)
        assert refused.value.message.endswith(AGAIN)
        assert (len(space), dict(space._engine._state.manifest.erasing)) == (0, {})
        assert space.erase(["a"]).count == 1
        assert not any(b"a secret" in content for content in storage.contents())


def test_an_erasure_that_goes_on_by_itself_keeps_to_the_pace_and_stops(store: MemoryStore, tmp_path: Path) -> None:
    with store:
        space = store.space("notes", dim=DIM)
        fill(space)
        space.delete(["person-5@home"])
        engine = space._engine
        engine._erasure.note(["person-5@home"], space.generation)

        def stops(nbytes: int) -> None:
            if nbytes:
                raise Stopped

        with pytest.raises(Stopped):
            engine.log_compaction.run(stops)
        assert engine.log_compaction.is_erasing
        assert space.stats().problems == ()
        told: list[int] = []
        engine.log_compaction.run(told.append)
        assert not engine.log_compaction.is_erasing
        assert sum(told) >= engine.log_bytes
        assert found(tmp_path, b"person-5@home") == []


def test_an_erasure_that_fails_keeps_no_compaction_from_being_made(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        for version in range(3):
            fill(space, version)
        engine = space._engine
        compaction = engine.log_compaction
        engine._erasure.note(["person-5@home"], space.generation)

        def fails(pace: object) -> None:
            raise CorruptData("it cannot be read")

        with monkeypatch.context() as patch:
            patch.setattr(engine._erasure, "finish", fails)
            engine.retention.advance()
            with pytest.raises(CorruptData):
                compaction.run(Pace(0, lambda: True))
            assert compaction.compactions > 0
            assert [problem.name for problem in space.stats().problems] == ["erasure_failed"]
            compaction.run(Pace(0, lambda: True))
            assert not compaction.is_due(), "it rests for a while"
        monkeypatch.setattr(compaction.erasure_attempt, "_pause_s", 0.0)
        assert compaction.is_due()
        compaction.run(Pace(0, lambda: True))
        assert space.stats().problems == ()
        assert not compaction.is_erasing


def test_files_that_could_not_be_removed_are_removed_later(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        for version in range(3):
            fill(space, version)
        engine, log = space._engine, tmp_path / "data" / "spaces" / "notes" / "log"

        def listed() -> set[str]:
            return {entry.name for entry in engine._state.manifest.segments}

        def fails(*_: object) -> None:
            raise OSError(5, "no")

        engine.retention.advance()
        with monkeypatch.context() as patch:
            patch.setattr(FileStorage, "remove", fails)
            with pytest.raises(Unavailable):
                engine.log_compaction.run(Pace(0, lambda: True))
        assert {file.name for file in log.iterdir()} > listed()
        engine.log_compaction.run(Pace(0, lambda: True))
        assert {file.name for file in log.iterdir()} == listed()
        assert len(space) == COUNT

"""Each failure of a space is provoked, named, and ends when its reason does."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from engram.errors import Unavailable
from engram.metrics import table
from engram.store import MemoryStore, Space
from tests.doubles.batches import DIM, vector_of
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.stored_ids import observe
from tests.doubles.stores import store_on
from tests.unit.store.health.levels import levels, names


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


def test_recalls_go_on_where_writes_fail(space: Space, storage: FaultyStorage) -> None:
    observe(space, "a")
    storage.faults.pending.append(Fault("sync", errno.EIO))
    with pytest.raises(Unavailable):
        observe(space, "b")
    assert [hit.id for hit in space.recall(vector_of("a"))] == ["a"]

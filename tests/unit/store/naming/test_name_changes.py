"""Dropping and renaming stored spaces: the list decides, and the files follow."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from engram.errors import FailedPrecondition, Unavailable
from engram.log.files.file_storage import FileStorage
from engram.log.files.memory_storage import MemoryStorage
from engram.log.files.storage import Storage
from engram.model.spaces import SpaceConfig
from engram.store.naming import name_changes
from engram.store.space_catalog import SpaceCatalog
from tests.doubles.faulty_storage import Fault, FaultyStorage

CONFIG = SpaceConfig("notes", 64, "l2", "lexical")
OTHER = SpaceConfig("other", 8)


@pytest.fixture(params=["file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return FileStorage(tmp_path / "data") if request.param == "file" else MemoryStorage()


def with_spaces(storage: Storage) -> SpaceCatalog:
    catalogue = SpaceCatalog(storage)
    for config in (CONFIG, OTHER):
        catalogue.add(config)
    return catalogue


def id_of(catalogue: SpaceCatalog, name: str) -> str:
    return catalogue.listed(name).space


def sound(storage: Storage) -> list[SpaceConfig]:
    catalogue = SpaceCatalog(storage)
    spaces, unsound = catalogue.load()
    assert unsound == {}
    assert catalogue.damages.count == 0
    return [space.config for space in spaces]


def test_a_dropped_space_is_gone_with_its_aliases(storage: Storage) -> None:
    catalogue = with_spaces(storage)
    for alias, space in {"current": "notes", "another": "notes", "kept": "other"}.items():
        catalogue.changes.set_alias(alias, space)
    leftover = catalogue.changes.drop("notes", id_of(catalogue, "notes"))
    assert tuple(leftover) == ("notes", ("another", "current"))
    assert catalogue.names == ["other"]
    assert catalogue.find("notes") is None
    assert catalogue.aliases == {"kept": "other"}
    # Nothing has been removed yet: a process that is killed here has dropped the space, too.
    assert storage.directory("spaces").is_directory("notes")
    assert sound(storage) == [OTHER]
    assert not storage.directory("spaces").is_directory("notes")
    catalogue.changes.remove(leftover)
    assert sound(storage) == [OTHER]
    assert b"dropped" not in storage.read("store.json")


def test_a_space_of_a_dropped_name_is_another_one(storage: Storage) -> None:
    catalogue = with_spaces(storage)
    before = id_of(catalogue, "notes")
    catalogue.changes.drop("notes", before)
    # Its files are in the way, and are removed first.
    catalogue.add(SpaceConfig("notes", 4))
    assert id_of(catalogue, "notes") not in ("", before)
    # What was known of the former one says nothing about this one.
    catalogue.note({"notes": (before, 99)})
    assert catalogue.listed("notes").generation == 0
    assert sound(storage) == [SpaceConfig("notes", 4), OTHER]


def test_a_drop_that_cannot_be_recorded_changes_nothing() -> None:
    storage = FaultyStorage()
    catalogue = with_spaces(storage)
    catalogue.changes.set_alias("current", "notes")
    storage.faults.pending.append(Fault("replace", errno.ENOSPC))
    with pytest.raises(Unavailable) as refusal:
        catalogue.changes.drop("notes", id_of(catalogue, "notes"))
    assert refusal.value.code == "disk_full"
    assert catalogue.names == ["notes", "other"]
    assert catalogue.aliases == {"current": "notes"}
    assert sound(storage) == [CONFIG, OTHER]


def test_files_that_cannot_be_removed_are_removed_later() -> None:
    storage = FaultyStorage()
    catalogue = with_spaces(storage)
    leftover = catalogue.changes.drop("notes", id_of(catalogue, "notes"))
    storage.faults.pending.append(Fault("remove_directory", errno.EIO, times=2))
    catalogue.changes.remove(leftover)
    assert storage.directory("spaces").is_directory("notes")
    assert catalogue.names == ["other"]
    with pytest.raises(Unavailable, match="creating space notes"):
        catalogue.add(CONFIG)
    catalogue.add(CONFIG)
    assert sound(storage) == [CONFIG, OTHER]


@pytest.mark.parametrize("content", [None, b"", b"{}"])
def test_a_space_without_a_description_is_dropped_too(content: bytes | None) -> None:
    storage = MemoryStorage()
    catalogue = with_spaces(storage)
    directory = storage.directory("spaces").directory("notes")
    directory.remove("space.json") if content is None else directory.replace("space.json", content)
    catalogue.changes.remove(catalogue.changes.drop("notes", id_of(catalogue, "notes")))
    assert sound(storage) == [OTHER]
    assert storage.directory("spaces").names() == ["other"]


def test_a_space_whose_directory_is_missing_is_dropped_too() -> None:
    storage = MemoryStorage()
    catalogue = with_spaces(storage)
    storage.directory("spaces").remove_directory("notes")
    catalogue.changes.remove(catalogue.changes.drop("notes", id_of(catalogue, "notes")))
    assert sound(storage) == [OTHER]


def test_another_space_in_the_directory_of_a_dropped_one_is_left_alone() -> None:
    storage, elsewhere = MemoryStorage(), MemoryStorage()
    catalogue = with_spaces(storage)
    with_spaces(elsewhere)
    catalogue.changes.drop("notes", id_of(catalogue, "notes"))
    storage.directory("spaces")._directories["notes"] = elsewhere.directory("spaces").directory("notes")
    for _ in range(2):
        with pytest.raises(Unavailable) as refusal:
            catalogue.add(CONFIG)
        assert (refusal.value.code, refusal.value.value) == ("in_the_way", "notes")
    found, unsound = SpaceCatalog(storage).load()
    assert [space.config for space in found] == [OTHER]
    assert unsound["notes"].code == "foreign_space"
    assert "space.json" in storage.directory("spaces").directory("notes").names()


def test_a_renamed_space_is_the_same_one(storage: Storage) -> None:
    catalogue = with_spaces(storage)
    before = id_of(catalogue, "notes")
    catalogue.note({"notes": (before, 7)})
    catalogue.changes.set_alias("current", "notes")
    catalogue.changes.rename("notes", "renamed", before)
    assert catalogue.names == ["other", "renamed"]
    assert catalogue.listed("renamed") == (before, 7)
    assert catalogue.aliases == {"current": "renamed"}
    # It is used where it is, until it is moved.
    found = catalogue.find("renamed")
    assert found is not None
    assert (found.config, found.generation_min) == (SpaceConfig("renamed", 64, "l2", "lexical"), 7)
    assert storage.directory("spaces").names() == ["notes", "other"]
    catalogue.changes.move("renamed")
    assert storage.directory("spaces").names() == ["other", "renamed"]
    assert sound(storage) == [OTHER, SpaceConfig("renamed", 64, "l2", "lexical")]
    assert b"renamed" in storage.directory("spaces").directory("renamed").read("space.json")
    assert b'"notes"' not in storage.read("store.json")


@pytest.mark.parametrize("operation", ["rename", "replace"])
def test_a_renamed_space_is_moved_later(operation: str) -> None:
    storage = FaultyStorage()
    catalogue = with_spaces(storage)
    catalogue.changes.rename("notes", "renamed", id_of(catalogue, "notes"))
    storage.faults.pending.append(Fault(operation, errno.EIO))
    catalogue.changes.move("renamed")
    found = catalogue.find("renamed")
    assert found is not None
    assert found.config.name == "renamed"
    # Nobody else gets the directory meanwhile.
    with pytest.raises(Unavailable) as refusal:
        catalogue.add(CONFIG)
    assert (refusal.value.code, refusal.value.value) == ("in_the_way", "renamed")
    assert sound(storage) == [OTHER, SpaceConfig("renamed", 64, "l2", "lexical")]
    assert SpaceCatalog(storage).add(CONFIG).config == CONFIG


def test_a_space_is_renamed_twice_before_it_is_moved(storage: Storage) -> None:
    catalogue = with_spaces(storage)
    space_id = id_of(catalogue, "notes")
    catalogue.changes.rename("notes", "first", space_id)
    catalogue.changes.rename("first", "second", space_id)
    assert catalogue.names == ["other", "second"]
    assert sound(storage) == [OTHER, SpaceConfig("second", 64, "l2", "lexical")]


def test_a_space_gets_its_former_name_back_before_it_is_moved(storage: Storage) -> None:
    catalogue = with_spaces(storage)
    space_id = id_of(catalogue, "notes")
    catalogue.changes.rename("notes", "first", space_id)
    catalogue.changes.rename("first", "notes", space_id)
    assert catalogue.names == ["notes", "other"]
    catalogue.changes.move("notes")
    assert sound(storage) == [CONFIG, OTHER]
    assert b"renamed" not in storage.read("store.json")


def test_a_renamed_space_is_dropped_before_it_is_moved(storage: Storage) -> None:
    catalogue = with_spaces(storage)
    space_id = id_of(catalogue, "notes")
    catalogue.changes.rename("notes", "renamed", space_id)
    leftover = catalogue.changes.drop("renamed", space_id)
    assert leftover.directory == "notes"
    catalogue.changes.remove(leftover)
    assert storage.directory("spaces").names() == ["other"]
    assert sound(storage) == [OTHER]


def test_a_renamed_space_takes_the_directory_of_a_dropped_one(storage: Storage) -> None:
    catalogue = with_spaces(storage)
    catalogue.changes.drop("notes", id_of(catalogue, "notes"))
    catalogue.changes.rename("other", "notes", id_of(catalogue, "other"))
    catalogue.changes.move("notes")
    assert sound(storage) == [SpaceConfig("notes", 8)]


def test_who_only_reads_sees_what_is_decided_and_changes_nothing(tmp_path: Path) -> None:
    catalogue = with_spaces(FileStorage(tmp_path))
    catalogue.changes.drop("notes", id_of(catalogue, "notes"))
    catalogue.changes.rename("other", "renamed", id_of(catalogue, "other"))
    catalogue.changes.set_alias("current", "renamed")
    reader = SpaceCatalog(FileStorage(tmp_path, read_only=True))
    found, unsound = reader.load()
    assert ([space.config for space in found], unsound) == ([SpaceConfig("renamed", 8)], {})
    assert reader.aliases == {"current": "renamed"}
    assert sorted(entry.name for entry in (tmp_path / "spaces").iterdir()) == ["notes", "other"]


def test_aliases_are_set_moved_and_removed(storage: Storage) -> None:
    catalogue = with_spaces(storage)
    catalogue.changes.set_alias("current", "notes")
    catalogue.changes.set_alias("current", "other")
    catalogue.changes.set_alias("former", "notes")
    assert SpaceCatalog(storage).aliases == {"current": "other", "former": "notes"}
    catalogue.changes.drop_alias("former")
    catalogue.changes.drop_alias("unknown")
    assert SpaceCatalog(storage).aliases == {"current": "other"}


def test_there_are_so_many_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_changes, "ALIASES_MAX", 2)
    catalogue = with_spaces(MemoryStorage())
    for alias in ("first", "second", "first"):
        catalogue.changes.set_alias(alias, "notes")
    with pytest.raises(FailedPrecondition) as refusal:
        catalogue.changes.set_alias("third", "notes")
    assert (refusal.value.code, refusal.value.field) == ("too_many_aliases", "alias")
    catalogue.changes.set_alias("second", "other")
    assert catalogue.aliases == {"first": "notes", "second": "other"}

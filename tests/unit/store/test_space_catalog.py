"""The catalogue of spaces on storage."""

from __future__ import annotations

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engram.errors import CorruptData, EngramError, NewerFormat, Unavailable
from engram.log.files.checked_json import encode_checked
from engram.log.files.file_storage import FileStorage
from engram.log.files.memory_storage import MemoryStorage
from engram.model.spaces import SpaceConfig
from engram.store.space_catalog import SpaceCatalog
from tests.doubles.faulty_storage import Fault, FaultyStorage

CONFIG = SpaceConfig("notes", 64, "l2", "lexical")
OTHER = SpaceConfig("other", 8)


def stored(*configs: SpaceConfig) -> MemoryStorage:
    storage = MemoryStorage()
    catalogue = SpaceCatalog(storage)
    for config in configs:
        catalogue.add(config)
    return storage


def loaded(storage: MemoryStorage) -> tuple[list[SpaceConfig], dict[str, EngramError]]:
    sound, unsound = SpaceCatalog(storage).load()
    return [space.config for space in sound], unsound


def folder(storage: MemoryStorage, name: str) -> MemoryStorage:
    return storage.directory("spaces").directory(name)


def test_spaces_come_back_by_name() -> None:
    configs = [CONFIG, SpaceConfig("zzz"), SpaceConfig("aaa", 8)]
    storage = stored(*configs)
    assert loaded(storage) == ([configs[2], CONFIG, configs[1]], {})
    catalogue = SpaceCatalog(storage)
    identities = {space.manifest.identity for space in catalogue.load()[0] if space.manifest is not None}
    assert {identity.store for identity in identities} == {catalogue.store_id}
    assert len({identity.space for identity in identities}) == 3


def test_many_threads_make_spaces_at_once(tmp_path: Path) -> None:
    catalogue = SpaceCatalog(FileStorage(tmp_path))
    configs = [SpaceConfig(f"space-{number:02}", 8) for number in range(48)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(catalogue.add, configs))
        notes = {space.config.name: (space.manifest.identity.space, 7) for space in made if space.manifest is not None}
        list(pool.map(catalogue.note, [{name: known} for name, known in notes.items()]))
    again = SpaceCatalog(FileStorage(tmp_path))
    assert again.damages.count == 0
    assert {name: (again.listed(name).space, again.listed(name).generation) for name in again.names} == notes


def test_an_interrupted_creation_is_no_space() -> None:
    storage = stored()
    folder(storage, "half-made")
    assert loaded(storage) == ([], {})
    SpaceCatalog(storage).add(SpaceConfig("half-made", 16))
    assert loaded(storage) == ([SpaceConfig("half-made", 16)], {})


def test_what_is_no_space_is_left_alone() -> None:
    storage = stored(CONFIG)
    storage.directory("spaces").create(".DS_Store", 100)
    storage.directory("spaces").create("notes.txt", 100)
    storage.directory("spaces").directory("lost+found").create("x", 1)
    storage.create("README", 10)
    assert loaded(storage) == ([CONFIG], {})


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "corrupt_description"),
        (b"\xff\xfe", "corrupt_description"),
        (b"[1]", "corrupt_description"),
        (b"null", "corrupt_description"),
        (b"{}", "corrupt_description"),
        (b"[" * 100_000, "corrupt_description"),
        (json.dumps({"format": 2, "name": "notes", "dim": 8}).encode(), "corrupt_description"),
        (json.dumps({"format": 1, "name": "notes", "dim": 8}).encode(), "foreign_space"),
        (encode_checked({"store": "?"}), "corrupt_description"),
    ],
)
def test_a_description_that_cannot_be_used_stops_its_space_only(content: bytes, code: str) -> None:
    storage = stored(CONFIG, OTHER)
    folder(storage, "notes").replace("space.json", content)
    configs, unsound = loaded(storage)
    assert configs == [OTHER]
    assert unsound["notes"].code == code
    assert isinstance(unsound["notes"], CorruptData)
    assert "spaces/notes/space.json" in unsound["notes"].message


def test_every_changed_byte_of_a_description_or_the_list_is_noticed() -> None:
    pristine = stored(CONFIG, OTHER)
    for place, name in ((folder(pristine, "notes"), "space.json"), (pristine, "store.json")):
        right = place.read(name)
        for offset in range(len(right)):
            wrong = bytearray(right)
            wrong[offset] ^= 1 << offset % 7
            place.replace(name, bytes(wrong))
            catalogue = SpaceCatalog(pristine)
            configs, unsound = [space.config for space in catalogue.load()[0]], catalogue.load()[1]
            # White space and the order of keys mean nothing; nothing else may change unnoticed.
            assert OTHER in configs
            assert CONFIG in configs or list(unsound) == ["notes"]
            if name == "store.json" and b"".join(right.split()) != b"".join(bytes(wrong).split()):
                assert catalogue.damages.count == 1
        place.replace(name, right)


def test_a_newer_description_is_refused_by_the_version_it_needs() -> None:
    storage = stored(CONFIG, OTHER)
    newer = {**json.loads(folder(storage, "notes").read("space.json")), "format": 3, "needs": "0.9.0"}
    del newer["crc32c"]
    folder(storage, "notes").replace("space.json", json.dumps(newer).encode())
    configs, unsound = loaded(storage)
    assert configs == [OTHER]
    assert isinstance(unsound["notes"], NewerFormat)
    assert "format 3, which Engram 0.9.0 reads" in unsound["notes"].message


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [("colour", "blue", "setting 'colour'"), ("metric", "hamming", "metric 'hamming'")],
)
def test_settings_of_a_newer_version_are_refused_by_name(setting: str, value: str, named: str) -> None:
    storage = stored(CONFIG)
    content = json.loads(folder(storage, "notes").read("space.json"))
    for key in ("format", "needs", "crc32c"):
        del content[key]
    content["settings"][setting] = value
    folder(storage, "notes").replace("space.json", encode_checked(content))
    with pytest.raises(NewerFormat, match=named):
        raise loaded(storage)[1]["notes"]


def test_a_missing_description_is_reported_and_the_name_is_not_free() -> None:
    storage = stored(CONFIG, OTHER)
    folder(storage, "notes").remove("space.json")
    configs, unsound = loaded(storage)
    assert configs == [OTHER]
    assert unsound["notes"].code == "missing_description"
    # Also where only data is left, of a space that no list knows.
    storage = stored(OTHER)
    folder(storage, "notes").directory("log").create("000000000001.log", 512)
    assert loaded(storage)[1]["notes"].code == "missing_description"


def test_a_missing_directory_is_reported() -> None:
    storage = stored(CONFIG, OTHER)
    del storage.directory("spaces")._directories["notes"]
    configs, unsound = loaded(storage)
    assert configs == [OTHER]
    assert unsound["notes"].code == "missing_space"


def test_the_spaces_of_another_store_are_refused() -> None:
    storage, other = stored(CONFIG, OTHER), stored(CONFIG)
    storage.directory("spaces")._directories["notes"] = folder(other, "notes")
    configs, unsound = loaded(storage)
    assert configs == [OTHER]
    assert unsound["notes"].code == "foreign_space"


def test_spaces_that_changed_places_are_refused() -> None:
    storage = stored(CONFIG, OTHER, SpaceConfig("third", 8))
    directories = storage.directory("spaces")._directories
    directories["notes"], directories["other"] = directories["other"], directories["notes"]
    configs, unsound = loaded(storage)
    assert [config.name for config in configs] == ["third"]
    assert {name: error.code for name, error in unsound.items()} == {"notes": "foreign_space", "other": "foreign_space"}


def test_a_space_made_anew_under_an_old_name_is_another_one() -> None:
    storage = stored(CONFIG)
    older = folder(storage, "notes").read("space.json")
    del storage.directory("spaces")._directories["notes"]
    SpaceCatalog(storage).add(CONFIG)
    assert loaded(storage) == ([CONFIG], {})
    folder(storage, "notes").replace("space.json", older)
    assert loaded(storage)[1]["notes"].code == "foreign_space"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", encode_checked({}), encode_checked({"spaces": 7, "store": ""})])
def test_without_the_list_all_sound_spaces_open_and_it_is_told(content: bytes) -> None:
    storage = stored(CONFIG, OTHER)
    store_id = SpaceCatalog(storage).store_id
    storage.replace("store.json", content)
    catalogue = SpaceCatalog(storage)
    assert [space.config for space in catalogue.load()[0]] == [CONFIG, OTHER]
    assert catalogue.store_id == store_id
    assert catalogue.damages.count == 1
    # It has been made anew.
    assert SpaceCatalog(storage).damages.count == 0
    assert loaded(storage) == ([CONFIG, OTHER], {})


def test_a_missing_list_is_told_where_there_are_spaces() -> None:
    storage = stored(CONFIG)
    storage.remove("store.json")
    catalogue = SpaceCatalog(storage)
    assert [space.config for space in catalogue.load()[0]] == [CONFIG]
    assert "missing" in catalogue.damages.all()[0].what
    assert SpaceCatalog(MemoryStorage()).damages.count == 0


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_lost_list_is_not_made_anew_while_no_space_can_be_read(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = stored(CONFIG)
    store_id = SpaceCatalog(storage).store_id
    storage.remove("store.json")

    def refuse(name: str) -> bytes:
        raise OSError(number, "not now", f"spaces/notes/{name}")

    with monkeypatch.context() as patched:
        patched.setattr(folder(storage, "notes"), "read", refuse)
        with pytest.raises(Unavailable, match=r"spaces/notes/space\.json"):
            SpaceCatalog(storage)
    assert "store.json" not in storage.names()
    assert SpaceCatalog(storage).store_id == store_id
    assert loaded(storage) == ([CONFIG], {})


@pytest.mark.parametrize("content", [None, b"{}"])
def test_a_lost_list_is_not_made_anew_of_nothing_but_damage(content: bytes | None) -> None:
    storage = stored(CONFIG)
    right = folder(storage, "notes").read("space.json")
    storage.remove("store.json")
    if content is None:
        folder(storage, "notes").directory("log")
        folder(storage, "notes").remove("space.json")
    else:
        folder(storage, "notes").replace("space.json", content)
    with pytest.raises(CorruptData, match="nothing was written") as refusal:
        SpaceCatalog(storage)
    assert (refusal.value.code, refusal.value.field) == ("unknown_store", "spaces/notes/space.json")
    folder(storage, "notes").replace("space.json", right)
    assert loaded(storage) == ([CONFIG], {})


def test_a_lost_list_of_newer_spaces_is_not_made_anew() -> None:
    storage = stored(CONFIG)
    newer = {**json.loads(folder(storage, "notes").read("space.json")), "format": 3, "needs": "0.9.0"}
    del newer["crc32c"]
    folder(storage, "notes").replace("space.json", json.dumps(newer).encode())
    storage.remove("store.json")
    with pytest.raises(NewerFormat, match=r"0\.9\.0"):
        SpaceCatalog(storage)
    assert "store.json" not in storage.names()


def test_who_only_reads_is_told_of_each_space_that_says_nothing(tmp_path: Path) -> None:
    SpaceCatalog(FileStorage(tmp_path)).add(CONFIG)
    (tmp_path / "store.json").unlink()
    (tmp_path / "spaces" / "notes" / "space.json").write_bytes(b"{}")
    sound, unsound = SpaceCatalog(FileStorage(tmp_path, read_only=True)).load()
    assert (sound, [error.code for error in unsound.values()]) == ([], ["corrupt_description"])


def test_a_damaged_space_of_format_1_keeps_no_other_from_being_listed() -> None:
    storage = MemoryStorage()
    folder(storage, "older").replace("space.json", json.dumps({"format": 1, "name": "older", "dim": 8}).encode())
    folder(storage, "damaged").replace("space.json", b"{")
    configs, unsound = loaded(storage)
    assert (configs, list(unsound)) == ([SpaceConfig("older", 8)], ["damaged"])


def test_a_space_that_an_older_list_does_not_know_is_listed() -> None:
    storage = stored(CONFIG)
    older = storage.read("store.json")
    SpaceCatalog(storage).add(OTHER)
    storage.replace("store.json", older)
    assert loaded(storage) == ([CONFIG, OTHER], {})
    del storage.directory("spaces")._directories["other"]
    assert list(loaded(storage)[1]) == ["other"]


def test_how_far_a_space_went_is_remembered() -> None:
    storage = stored(CONFIG)
    catalogue = SpaceCatalog(storage)
    (space,) = catalogue.load()[0]
    assert space.manifest is not None
    catalogue.note({"notes": (space.manifest.identity.space, 17)})
    assert [one.generation_min for one in SpaceCatalog(storage).load()[0]] == [17]


def test_a_space_that_cannot_be_recorded() -> None:
    storage = FaultyStorage()
    catalogue = SpaceCatalog(storage)
    storage.faults.pending.append(Fault("replace", errno.ENOSPC))
    with pytest.raises(Unavailable) as refusal:
        catalogue.add(CONFIG)
    assert refusal.value.code == "disk_full"
    assert catalogue.load() == ([], {})


@pytest.mark.parametrize("content", [b"", b"{}", encode_checked({"store": "of another", "spaces": {}})])
def test_a_list_that_is_damaged_while_it_is_used_is_reported_when_it_is_looked_at(content: bytes) -> None:
    storage = stored(CONFIG)
    catalogue = SpaceCatalog(storage)
    catalogue.check()
    assert not catalogue.damages.count
    storage.replace("store.json", content)
    catalogue.check()
    catalogue.check()
    assert [damage.file for damage in catalogue.damages.all()] == ["store.json"]


def test_a_list_that_is_gone_while_it_is_used_is_reported_when_it_is_looked_at() -> None:
    storage = stored(CONFIG)
    catalogue = SpaceCatalog(storage)
    storage.remove("store.json")
    catalogue.check()
    assert [damage.file for damage in catalogue.damages.all()] == ["store.json"]


def test_a_space_of_format_1_that_comes_later_is_a_stranger() -> None:
    storage = stored(CONFIG)
    folder(storage, "older").replace("space.json", json.dumps({"format": 1, "name": "older", "dim": 8}).encode())
    configs, unsound = loaded(storage)
    assert configs == [CONFIG]
    assert unsound["older"].code == "foreign_space"


def test_a_store_of_format_1_is_listed_once() -> None:
    storage = MemoryStorage()
    folder(storage, "older").replace("space.json", json.dumps({"format": 1, "name": "older", "dim": 8}).encode())
    assert loaded(storage) == ([SpaceConfig("older", 8)], {})
    assert SpaceCatalog(storage).listed("older").space == ""
    assert loaded(storage) == ([SpaceConfig("older", 8)], {})

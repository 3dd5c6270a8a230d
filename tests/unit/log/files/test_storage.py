"""The storage on disk and its twin in RAM keep the same promises."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from engram.log.files.file_storage import FileStorage
from engram.log.files.memory_storage import MemoryStorage
from engram.log.files.os_errors import NoRoom, unavailable
from engram.log.files.storage import Storage


@pytest.fixture(params=["file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return FileStorage(tmp_path / "data") if request.param == "file" else MemoryStorage()


def test_a_new_file_holds_zeros(storage: Storage) -> None:
    file = storage.create("a", 5000)
    assert file.size == 5000
    assert file.view().shape == (5000,)
    assert not file.view().any()


def test_writes_show_in_the_view_at_once(storage: Storage) -> None:
    file = storage.create("a", 100)
    view = file.view()
    file.write(10, [b"abc", np.arange(3, dtype=np.uint8).data, bytearray(b"z")])
    file.sync()
    assert view[10:17].tobytes() == b"abc\x00\x01\x02z"
    assert storage.open("a").view()[10:13].tobytes() == b"abc"


def test_thousands_of_buffers_in_one_write(storage: Storage) -> None:
    file = storage.create("a", 9000)
    file.write(0, [bytes([row % 251, row % 7]) for row in range(4500)])
    expected = [value for row in range(4500) for value in (row % 251, row % 7)]
    assert file.view().tolist() == expected


def test_views_are_read_only_and_outlive_close_and_remove(storage: Storage) -> None:
    file = storage.create("a", 100)
    file.write(0, [b"kept"])
    view = file.view()
    file.close()
    storage.remove("a")
    assert view[:4].tobytes() == b"kept"
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1


def test_a_closed_file_refuses(storage: Storage) -> None:
    file = storage.create("a", 100)
    file.close()
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.write(0, [b"x"])
    with pytest.raises(ValueError, match="closed"):
        file.sync()


def test_a_file_does_not_grow(storage: Storage) -> None:
    file = storage.create("a", 4)
    with pytest.raises(ValueError, match="does not fit"):
        file.write(2, [b"abc"])
    assert not file.view().any()


def test_names_and_missing_files(storage: Storage) -> None:
    storage.create("b", 1)
    storage.create("a", 1)
    storage.directory("c")
    assert storage.names() == ["a", "b", "c"]
    with pytest.raises(FileExistsError):
        storage.create("a", 1)
    for missing in (storage.open, storage.remove, storage.read):
        with pytest.raises(FileNotFoundError):
            missing("nothing")


def test_replace_and_read(storage: Storage) -> None:
    storage.replace("a", b"one")
    storage.replace("a", b"other")
    assert storage.read("a") == b"other"
    assert storage.names() == ["a"]


def test_directories_are_storages_of_their_own(storage: Storage) -> None:
    storage.directory("sub").replace("a", b"inner")
    assert storage.directory("sub").read("a") == b"inner"
    assert "a" not in storage.names()


def test_a_directory_is_removed_with_everything_in_it(storage: Storage) -> None:
    outer = storage.directory("outer")
    outer.directory("inner").directory("innermost").replace("b", b"deep")
    file = outer.create("a", 100)
    file.write(0, [b"kept"])
    view = file.view()
    storage.replace("beside", b"stays")
    storage.remove_directory("outer")
    assert storage.names() == ["beside"]
    assert view[:4].tobytes() == b"kept"
    storage.remove_directory("outer")
    assert storage.directory("outer").names() == []


def test_a_directory_is_renamed_with_everything_in_it(storage: Storage) -> None:
    storage.directory("old").directory("inner").replace("a", b"content")
    storage.directory("new")
    storage.rename("old", "new")
    assert storage.names() == ["new"]
    assert storage.directory("new").directory("inner").read("a") == b"content"
    storage.directory("other").replace("b", b"")
    with pytest.raises(OSError, match="not empty") as refusal:
        storage.rename("new", "other")
    assert refusal.value.errno == errno.ENOTEMPTY
    assert storage.names() == ["new", "other"]
    storage.replace("file", b"1")
    storage.replace("taken", b"2")
    storage.rename("file", "taken")
    assert storage.read("taken") == b"1"
    with pytest.raises(FileNotFoundError):
        storage.rename("file", "taken")


def test_what_interrupted_calls_left_is_removed_too(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    storage.directory("space").replace("a", b"content")
    (tmp_path / "space" / "a.tmp").write_bytes(b"half")
    storage.remove_directory("space")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_elsewhere_is_emptied_and_its_link_removed(tmp_path: Path) -> None:
    elsewhere, linked = tmp_path / "elsewhere", tmp_path / "data" / "space"
    storage = FileStorage(tmp_path / "data")
    FileStorage(elsewhere).directory("inner").replace("a", b"content")
    (elsewhere / "link").symlink_to(tmp_path)
    linked.symlink_to(elsewhere)
    storage.remove_directory("space")
    assert list(elsewhere.iterdir()) == []
    assert not linked.is_symlink()


def test_an_interrupted_replace_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = FileStorage(tmp_path)
    storage.replace("a", b"old")

    def power_fails(*_: object, **__: object) -> None:
        raise OSError("power fails")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", power_fails)
        with pytest.raises(OSError, match="power fails"):
            storage.replace("a", b"new")
    assert storage.read("a") == b"old"
    assert storage.names() == ["a"]


def test_a_failed_create_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_is_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engram.log.files.file_storage.reserve_blocks", disk_is_full)
    with pytest.raises(OSError, match="No space"):
        FileStorage(tmp_path).create("a", 100)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("create", [True, False])
def test_a_full_disk_says_what_is_missing_and_keeps_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, create: bool
) -> None:
    storage = FileStorage(tmp_path)
    storage.replace("kept", b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(NoRoom) as refusal:
            storage.create("new", 70) if create else storage.replace("kept", b"n" * 70)
    assert os.listdir(tmp_path) == ["kept"]
    assert storage.read("kept") == b"old"
    told = unavailable(refusal.value, "testing")
    assert (told.code, told.field, told.value) == ("disk_full", "disk", "70")
    assert int(told.limit or 0) > 0
    path = tmp_path / ("new" if create else "kept")
    assert told.message.startswith(f"the disk is full while testing ({path}): a write needs 70 bytes, and {told.limit}")
    storage.replace("kept", b"new")
    assert storage.read("kept") == b"new"


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwritev

    def at_most_three_bytes(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        return real(descriptor, [buffers[0][:3]], offset)

    monkeypatch.setattr(os, "pwritev", at_most_three_bytes)
    file = FileStorage(tmp_path).create("a", 20)
    file.write(1, [b"abcdefg", b"h", b"ij"])
    assert file.view().tobytes() == b"\0abcdefghij".ljust(20, b"\0")


def test_an_empty_file_left_by_a_crash_can_be_opened(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    file = FileStorage(tmp_path).open("a")
    assert file.size == 0
    assert file.view().shape == (0,)


def test_views_start_aligned_for_vector_instructions(storage: Storage) -> None:
    assert storage.create("a", 1000).view().ctypes.data % 64 == 0


def test_a_file_may_begin_with_something(storage: Storage) -> None:
    file = storage.create("a", 1000, b"begin")
    assert file.view().tobytes() == b"begin".ljust(1000, b"\0")


def test_directories_are_told_from_files(storage: Storage) -> None:
    storage.directory("folder")
    storage.create("file", 1)
    assert [storage.is_directory(name) for name in ("folder", "file", "nothing")] == [True, False, False]


def test_a_directory_is_held_on_to_and_not_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = FileStorage(tmp_path / "old")
    inner = storage.directory("inner")
    (tmp_path / "old").rename(tmp_path / "new")
    other = FileStorage(tmp_path / "old")
    other.directory("inner").replace("a", b"of the other")
    inner.replace("a", b"of the first")
    assert (tmp_path / "new" / "inner" / "a").read_bytes() == b"of the first"
    assert (tmp_path / "old" / "inner" / "a").read_bytes() == b"of the other"
    monkeypatch.chdir("/")
    assert inner.read("a") == b"of the first"


def test_a_relative_path_survives_a_change_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    storage = FileStorage("data")
    file = storage.create("a", 1 << 20)
    monkeypatch.chdir("/")
    file.write(0, [b"x" * (256 << 10)])
    file.sync()
    storage.replace("b", b"content")
    assert (tmp_path / "data" / "b").read_bytes() == b"content"


def test_what_is_written_to_a_file_without_a_name_is_not_durable(tmp_path: Path) -> None:
    file = FileStorage(tmp_path).create("a", 5000)
    file.write(0, [b"x"])
    (tmp_path / "a").unlink()
    with pytest.raises(FileNotFoundError, match="removed while it was written"):
        file.sync()


def test_a_directory_that_is_gone_takes_nothing(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "data")
    (tmp_path / "data").rmdir()
    FileStorage(tmp_path / "data")
    with pytest.raises(FileNotFoundError):
        storage.replace("a", b"x")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_read_only_storage_changes_nothing(tmp_path: Path) -> None:
    FileStorage(tmp_path).replace("a", b"content")
    storage = FileStorage(tmp_path, read_only=True)
    assert storage.read("a") == b"content"
    assert storage.open("a").view().tobytes() == b"content"
    for change in (
        lambda: storage.create("b", 1),
        lambda: storage.remove("a"),
        lambda: storage.replace("a", b""),
        lambda: storage.rename("a", "b"),
        lambda: storage.remove_directory("missing"),
    ):
        with pytest.raises(OSError, match="Read-only"):
            change()
    storage.directory("missing")
    assert storage.names() == ["a"]
    with pytest.raises(FileNotFoundError):
        FileStorage(tmp_path / "missing", read_only=True)

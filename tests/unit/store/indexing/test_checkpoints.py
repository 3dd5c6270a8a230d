"""Checkpoint files: listed and whole, or skipped; the newest two are kept."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from engram.errors import Unavailable
from engram.index import HnswIndex
from engram.log.damage import Damages
from engram.log.files.file_storage import FileStorage
from engram.store.indexing.checkpoints import Checkpoints, checkpoints_of_format_1
from tests.doubles.batches import DIM
from tests.doubles.logs import manifest_of


def index_of(count: int) -> HnswIndex:
    index = HnswIndex(DIM)
    index.add(np.random.default_rng(1).standard_normal((count, DIM)).astype(np.float32))
    return index


def checkpoints_in(path: Path) -> Checkpoints:
    storage = FileStorage(path)
    return Checkpoints(storage.directory("checkpoints"), manifest_of(storage), Damages("notes"))


def files(path: Path) -> list[Path]:
    return sorted((path / "checkpoints").iterdir())


def generations(checkpoints: Checkpoints) -> list[int]:
    return [checkpoint.generation for checkpoint in checkpoints.newest_first()]


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    checkpoints = checkpoints_in(tmp_path)
    index = index_of(10)
    for _ in range(4):
        assert checkpoints.write(index) == index.indexed_generation
        index.add(np.ones((5, DIM)))
    assert generations(checkpoints) == generations(checkpoints_in(tmp_path)) == [25, 20]
    assert len(files(tmp_path)) == 2


def test_one_is_kept_at_rest_and_not_one_that_is_damaged(tmp_path: Path) -> None:
    checkpoints = checkpoints_in(tmp_path)
    checkpoints.keep_newest()
    index = index_of(10)
    for _ in range(2):
        checkpoints.write(index)
        index.add(np.ones((5, DIM)))
    newest = checkpoints_in(tmp_path)
    for _ in range(2):
        newest.keep_newest()
        assert generations(newest) == generations(checkpoints_in(tmp_path)) == [15]
        assert len(files(tmp_path)) == 1
    newest.write(index)
    next(newest.newest_first())
    files(tmp_path)[-1].write_bytes(b"")
    assert generations(newest) == [15]
    newest.keep_newest()
    assert generations(checkpoints_in(tmp_path)) == [15]


@pytest.mark.parametrize("how", ["flip", "cut", "empty", "missing"])
def test_a_damaged_one_is_skipped_and_told(tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    checkpoints = checkpoints_in(tmp_path)
    index = index_of(10)
    checkpoints.write(index)
    index.add(np.ones((5, DIM)))
    checkpoints.write(index)
    newest = files(tmp_path)[-1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(bytes({"flip": content, "cut": content[:-1], "empty": b"", "missing": b""}[how]))
    if how == "missing":
        newest.unlink()
    assert generations(checkpoints) == [10]
    assert newest.name in caplog.text
    assert newest.exists() == (how != "missing")
    index.add(np.ones((5, DIM)))
    checkpoints.write(index)
    # The broken one took up a place for nothing.
    assert generations(checkpoints) == [20, 10]
    assert not newest.exists()


def test_what_is_not_listed_is_not_used(tmp_path: Path) -> None:
    checkpoints_in(tmp_path / "other").write(index_of(7))
    checkpoints = checkpoints_in(tmp_path / "own")
    (foreign,) = files(tmp_path / "other")
    foreign.rename(tmp_path / "own" / "checkpoints" / foreign.name)
    (tmp_path / "own" / "checkpoints" / "graph.tmp").write_bytes(b"half")
    (tmp_path / "own" / "checkpoints" / "notes.txt").write_bytes(b"")
    assert generations(checkpoints) == []
    checkpoints.write(index_of(3))
    assert generations(checkpoints) == [3]
    assert [file.name for file in files(tmp_path / "own")][1:] == ["notes.txt"]


def test_what_was_never_finished_is_removed(tmp_path: Path) -> None:
    checkpoints = checkpoints_in(tmp_path)
    checkpoints.write(index_of(3))
    (tmp_path / "checkpoints" / "graph.tmp").write_bytes(b"half")
    for _ in range(2):
        checkpoints.remove_unlisted()
        assert [file.suffix for file in files(tmp_path)] == [".checkpoint"]


def test_a_failed_write_leaves_the_older_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = checkpoints_in(tmp_path)
    checkpoints.write(index_of(3))

    def disk_is_full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", disk_is_full)
        with pytest.raises(Unavailable) as refusal:
            checkpoints.write(index_of(5))
    assert refusal.value.code == "disk_full"
    assert generations(checkpoints) == [3]
    assert len(files(tmp_path)) == 1


def test_a_directory_that_is_gone_takes_none(tmp_path: Path) -> None:
    checkpoints = checkpoints_in(tmp_path)
    (tmp_path / "checkpoints").rmdir()
    with pytest.raises(Unavailable):
        checkpoints.write(index_of(3))


def test_those_of_format_1_are_found_by_the_checksums_in_their_names(tmp_path: Path) -> None:
    checkpoints = checkpoints_in(tmp_path)
    index = index_of(10)
    for _ in range(2):
        checkpoints.write(index)
        index.add(np.ones((5, DIM)))
    storage = FileStorage(tmp_path).directory("checkpoints")
    assert [entry.generation for entry in checkpoints_of_format_1(storage)] == [15, 10]
    os.truncate(files(tmp_path)[-1], 5000)
    assert [entry.generation for entry in checkpoints_of_format_1(storage)] == [10]

"""Checkpoint files: whole or skipped, the newest two kept."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from doubles.batches import DIM
from engram.errors import Unavailable
from engram.index import HnswIndex
from engram.store.checkpoint import Checkpoints


def index_of(count: int) -> HnswIndex:
    index = HnswIndex(DIM)
    index.add(np.random.default_rng(1).standard_normal((count, DIM)).astype(np.float32))
    return index


def generations(checkpoints: Checkpoints) -> list[int]:
    return [checkpoint.generation for checkpoint in checkpoints.newest_first()]


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "c")
    index = index_of(10)
    for _ in range(4):
        assert checkpoints.write(index) == index.indexed_generation
        index.add(np.ones((5, DIM)))
    assert generations(checkpoints) == [25, 20]
    assert len(list((tmp_path / "c").iterdir())) == 2


@pytest.mark.parametrize("how", ["flip", "cut", "empty"])
def test_a_damaged_one_is_skipped_with_a_warning(tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    checkpoints = Checkpoints(tmp_path / "c")
    index = index_of(10)
    checkpoints.write(index)
    index.add(np.ones((5, DIM)))
    checkpoints.write(index)
    newest = next(checkpoints.newest_first())
    content = bytearray(newest.path.read_bytes())
    content[len(content) // 2] ^= 1
    newest.path.write_bytes(bytes({"flip": content, "cut": content[:-1], "empty": b""}[how]))
    assert generations(checkpoints) == [10]
    assert newest.path.name in caplog.text
    assert newest.path.exists()


def test_leftovers_and_foreign_files_are_ignored(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "c")
    (tmp_path / "c" / "graph.tmp").write_bytes(b"half")
    (tmp_path / "c" / "notes.txt").write_bytes(b"")
    assert generations(checkpoints) == []
    checkpoints.write(index_of(3))
    assert generations(checkpoints) == [3]


def test_a_failed_write_leaves_the_older_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.write(index_of(3))

    def disk_is_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", disk_is_full)
        with pytest.raises(Unavailable) as refusal:
            checkpoints.write(index_of(5))
    assert refusal.value.code == "disk_full"
    assert generations(checkpoints) == [3]
    assert len(list((tmp_path / "c").iterdir())) == 1


def test_a_failure_of_the_native_writer_is_typed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "c")
    (tmp_path / "c").rmdir()
    with pytest.raises(Unavailable) as refusal:
        checkpoints.write(index_of(3))
    assert refusal.value.code == "checkpoint_failed"

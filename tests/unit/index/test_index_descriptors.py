"""Checkpoints are written to and loaded from files that the caller has open, under whatever name they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engram.errors import CorruptData
from engram.index import HnswIndex
from tests.doubles.vectors import clustered


def test_an_open_file_is_written_and_loaded_after_its_folder_was_renamed(tmp_path: Path) -> None:
    vectors = clustered(500, 32)
    index = HnswIndex(32)
    index.add(vectors)
    (tmp_path / "a").mkdir()
    descriptor = os.open(tmp_path / "a" / "graph", os.O_RDWR | os.O_CREAT)
    try:
        os.write(descriptor, b"x" * (8 << 20))
        (tmp_path / "a").rename(tmp_path / "b")
        assert index.save_into(descriptor) == 500
        loaded = HnswIndex.load(descriptor)
    finally:
        os.close(descriptor)
    assert loaded.search(vectors, k=1)[0][:, 0].tolist() == list(range(1, 501))
    index.save(tmp_path / "c")
    assert (tmp_path / "b" / "graph").read_bytes() == (tmp_path / "c").read_bytes()


def test_a_descriptor_stays_open_and_its_failures_are_told(tmp_path: Path) -> None:
    index = HnswIndex(32)
    index.add(clustered(10, 32))
    (tmp_path / "empty").touch()
    descriptor = os.open(tmp_path / "empty", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="in descriptor"):
            index.save_into(descriptor)
        with pytest.raises(CorruptData, match="does not begin as a checkpoint") as raised:
            HnswIndex.load(descriptor)
        assert raised.value.code == "corrupt_checkpoint"
        os.fstat(descriptor)
    finally:
        os.close(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        index.save_into(descriptor)

"""Directories that a store cannot open, or not whole: damaged ones, ones in use, and files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from engram.errors import (
    CorruptData,
    NewerFormat,
    StoreLocked,
    Unavailable,
)
from engram.store import MemoryStore, StoreOptions
from tests.doubles.batches import DIM
from tests.doubles.stored_ids import live_ids, observe

HOLDER = """
import sys
from engram import MemoryStore
store = MemoryStore(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A data directory with one space of fifty observations in several commits."""
    with MemoryStore(tmp_path, options=StoreOptions(segment_bytes=16384)) as store:
        space = store.space("notes", dim=DIM)
        for number in range(10):
            observe(space, *(f"{number}-{row}" for row in range(50)))
    return tmp_path


def content_of_tree(path: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in path.rglob("*") if file.is_file() and file.name != "LOCK"}


def segments(path: Path) -> list[Path]:
    return sorted((path / "spaces/notes/log").iterdir())


def cut(path: Path) -> None:
    os.truncate(segments(path)[0], 5000)


def fill_with_garbage(path: Path) -> None:
    segments(path)[0].write_bytes(Random(1).randbytes(16384))


def remove_a_segment(path: Path) -> None:
    segments(path)[0].unlink()


def break_settings(path: Path) -> None:
    (path / "spaces/notes/space.json").write_text("{")


@pytest.mark.parametrize("damage", [cut, fill_with_garbage, remove_a_segment, break_settings])
def test_damage_is_reported_and_not_touched(filled: Path, damage: Callable[[Path], None]) -> None:
    assert len(segments(filled)) >= 2
    damage(filled)
    before = content_of_tree(filled)
    for _ in range(2):
        with MemoryStore(filled) as store:
            for _ in range(2):
                with pytest.raises(CorruptData) as report:
                    store.space("notes")
                with pytest.raises(CorruptData):
                    # Nor is it made anew over old data.
                    store.space("notes", dim=DIM, metric="l2")
            assert report.value.field in ("spaces/notes/space.json", "000000000001.log")
            assert store.spaces() == []
            assert list(store.unsound) == ["notes"]
    assert content_of_tree(filled) == before


def test_a_damaged_space_does_not_keep_the_others_from_working(filled: Path) -> None:
    with MemoryStore(filled) as store:
        observe(store.space("other", dim=DIM), "a")
    cut(filled)
    with MemoryStore(filled) as store:
        other = store.space("other")
        observe(other, "b")
        assert live_ids(other) == ["a", "b"]
        observe(store.space("third", dim=DIM), "c")
    with MemoryStore(filled) as store:
        assert [space.config.name for space in store.spaces()] == ["other", "third"]
        assert live_ids(store.space("other")) == ["a", "b"]


def test_a_directory_in_use_by_another_process(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreLocked, match=rf"process {holder.pid}\b"):
            MemoryStore(tmp_path)
        holder.kill()
        holder.wait()
    MemoryStore(tmp_path).close()


def test_a_failed_opening_releases_the_directory(filled: Path) -> None:
    content = (filled / "store.json").read_bytes()
    (filled / "store.json").write_text('{"format": 7, "needs": "9.9"}')
    with pytest.raises(NewerFormat, match=r"format 7, which Engram 9\.9 reads"):
        MemoryStore(filled)
    (filled / "store.json").write_bytes(content)
    with MemoryStore(filled) as store:
        assert len(live_ids(store.space("notes"))) == 500


def test_a_path_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="something else is in the way") as refusal:
        MemoryStore(tmp_path / "file")
    assert str(tmp_path / "file") in refusal.value.message

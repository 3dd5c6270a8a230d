"""Segments of format 1 have no checksums as fine as a hit; damage after their opening is found all the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engram import MemoryStore
from engram.errors import CorruptData, EngramError
from engram.store import StoreOptions
from tests.doubles.old_formats import unpack_format

LOG = "spaces/notes/log/000000000001.log"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    unpack_format(1, tmp_path)
    with MemoryStore(tmp_path, options=StoreOptions(scrub_bytes_per_s=0)) as store:
        yield store


def test_a_bit_that_flips_after_opening_is_not_served(store: MemoryStore, tmp_path: Path) -> None:
    space = store.space("notes", create=False)
    sound, hit = space.get("note-0-3"), space.get("note-0-9")
    assert sound is not None
    assert hit is not None
    content = hit.content
    # In the middle of the text, which is there once.
    data = (tmp_path / LOG).read_bytes()
    offset = data.index(content.encode()) + 2
    with (tmp_path / LOG).open("r+b") as file:
        os.pwrite(file.fileno(), bytes([data[offset] ^ 1]), offset)
    damaged = space.get("note-0-9")
    assert damaged is not None
    with pytest.raises(CorruptData, match=r"000000000001\.log is damaged at offset"):
        _ = damaged.content
    assert space._engine.damages.count == 1


def test_a_file_that_is_cut_after_opening_is_not_served(store: MemoryStore, tmp_path: Path) -> None:
    space = store.space("notes", create=False)
    os.truncate(tmp_path / LOG, 0)
    hit = space.get("note-0-9")
    assert hit is not None
    for column in ("id", "content", "metadata", "tags", "time_us", "confidence", "importance", "vector"):
        with pytest.raises(CorruptData):
            getattr(hit, column)
    with pytest.raises(CorruptData):
        hit.row()
    with pytest.raises(CorruptData):
        space.recall(np.ones(16), k=5)


def last_record(data: bytes | bytearray) -> int:
    """Where the last record of a log of format 1 begins."""
    return data.rindex(b"EGR1")


def opened(path: Path) -> EngramError | int:
    """How opening the space goes: its generation, or the error."""
    with MemoryStore(path, options=StoreOptions(scrub_bytes_per_s=0)) as store:
        return store.unsound.get("notes") or store.space("notes", create=False).generation


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A directory of format 1 that was not opened since, without checkpoints that could prove anything."""
    unpack_format(1, tmp_path)
    for checkpoint in tmp_path.glob("spaces/*/checkpoints/*"):
        checkpoint.unlink()
    return tmp_path


@pytest.mark.parametrize("distance", [5, 100, 191, 192, 300])
def test_a_bit_in_the_very_last_record_is_damage_and_no_unfinished_write(fresh: Path, distance: int) -> None:
    data = bytearray((fresh / LOG).read_bytes())
    data[last_record(data) + distance] ^= 4
    (fresh / LOG).write_bytes(data)
    error = opened(fresh)
    assert isinstance(error, CorruptData)
    assert error.code == "corrupt_log"


def test_sectors_of_zeros_in_the_very_last_record_are_an_unfinished_write(fresh: Path) -> None:
    sound = (fresh / LOG).read_bytes()
    begin = last_record(sound)
    first_sector = begin + -begin % 512
    data = bytearray(sound)
    data[first_sector : first_sector + 512] = bytes(512)
    (fresh / LOG).write_bytes(data)
    generation = opened(fresh)
    assert isinstance(generation, int)
    assert generation < 249

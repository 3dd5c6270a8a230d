"""Whatever comes of looking at a log, no descriptor of its files stays open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engram.errors import CorruptData, NewerFormat
from engram.log.damage import Damages
from engram.log.files.file_storage import FileStorage
from engram.log.files.memory_storage import MemoryStorage
from engram.log.identity import Identity
from engram.log.manifest import Manifest, SegmentEntry
from engram.log.records.sectors import SECTOR_BYTES, sector_sum
from engram.log.segments.segment import segment_name
from engram.log.segments.segment_header import FORMAT
from engram.maintenance.backups.whole_prefix import whole_prefix
from engram.maintenance.found_segments import find_segments, identity_in, segments_in
from engram.maintenance.survey import survey
from tests.doubles.damaged import SPACE, logs_of, make_store, zero

Look = Callable[[FileStorage, Manifest], object]
LOOKS: dict[str, Look] = {
    "whole_prefix": lambda log, manifest: whole_prefix(log, manifest, Damages()),
    "survey": lambda log, manifest: survey(log, manifest, manifest.identity.space, Damages()),
    "identity_in": lambda log, _: identity_in(log),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_store(tmp_path / "data", seed=5, batches=20)
    assert len(logs_of(tmp_path / "data")) > 2
    return tmp_path / "data"


@pytest.fixture
def opened(data: Path) -> Iterator[tuple[FileStorage, Manifest]]:
    storage = FileStorage(data / "spaces" / SPACE, read_only=True)
    yield storage.directory("log"), Manifest.read(storage)
    storage.close()


def make_newer(file: Path) -> None:
    """Have the first sector of a segment say that it is of the next format."""
    sector = bytearray(file.read_bytes()[:SECTOR_BYTES])
    sector[8:10] = (FORMAT + 1).to_bytes(2, "little")
    sector[4:8] = sector_sum(bytes(sector[8:]), 0, 0).to_bytes(4, "little")
    with file.open("r+b") as written:
        written.write(sector)


def descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))


@pytest.mark.parametrize("look", LOOKS)
def test_of_a_log_that_a_newer_version_wrote(data: Path, opened: tuple[FileStorage, Manifest], look: str) -> None:
    make_newer(logs_of(data)[-1])
    before = descriptors()
    with pytest.raises(NewerFormat):
        LOOKS[look](*opened)
    assert descriptors() == before


@pytest.mark.parametrize("look", LOOKS)
def test_of_a_sound_log(opened: tuple[FileStorage, Manifest], look: str) -> None:
    before = descriptors()
    LOOKS[look](*opened)
    assert descriptors() == before


@pytest.mark.parametrize(
    ("harm", "error"), [(lambda file: file.unlink(), FileNotFoundError), (lambda file: zero(file, 512), CorruptData)]
)
def test_of_a_log_that_is_not_whole(
    data: Path, opened: tuple[FileStorage, Manifest], harm: Callable[[Path], None], error: type[Exception]
) -> None:
    harm(logs_of(data)[1])
    before = descriptors()
    with pytest.raises(error):
        LOOKS["whole_prefix"](*opened)
    assert descriptors() == before


def test_a_blank_segment_between_those_that_were_compacted_is_there() -> None:
    storage = MemoryStorage()
    compacted = SegmentEntry(7, 4096, 2, 11, first_epoch=3, revision=2)
    entries = [SegmentEntry(2, 4096, 2, 10), SegmentEntry(5, 4096, 2, 12), compacted]
    manifest = Manifest(storage, Identity.new(), {}, entries)
    for name in (*(entry.name for entry in entries), segment_name(4), segment_name(7, 1)):
        storage.create(name, 4096)
    assert segments_in(storage, manifest) == [(2, 0), (5, 0), (7, 2)]
    damages = Damages()
    find_segments(storage, manifest, manifest.identity.space, damages)
    assert not [damage for damage in damages.all() if "missing" in damage.message]

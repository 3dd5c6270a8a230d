"""The manifest: whoever reads it anew finds what was changed last, also after a change that failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engram.log.files.checked_json import decode_checked, encode_checked
from engram.log.files.file_storage import FileStorage
from engram.log.identity import Identity
from engram.log.manifest import FILE_NAME, CheckpointEntry, Manifest, Mark, SegmentEntry

SEGMENTS = [SegmentEntry(number, 1 << 20, 2, 3_000_000_000 + number) for number in (1, 2, 3)]


def check_read_anew(manifest: Manifest) -> None:
    read = Manifest.read(manifest.storage)
    assert (read.identity, read.settings) == (manifest.identity, manifest.settings)
    assert (read.segments, read.checkpoints, read.mark) == (manifest.segments, manifest.checkpoints, manifest.mark)
    # The list of segments is kept as it was encoded; the file is what encoding all of it makes.
    data = manifest.storage.read(FILE_NAME)
    assert encode_checked(decode_checked(data, FILE_NAME)) == data


def test_every_change_is_read_anew(tmp_path: Path) -> None:
    manifest = Manifest(FileStorage(tmp_path), Identity.new(), {"dim": 8, "name": "n\u00f6tes"}, SEGMENTS[:1])
    manifest.save()
    check_read_anew(manifest)
    changes: tuple[Callable[[], None], ...] = (
        lambda: manifest.set_mark(Mark(1, 1, 512)),
        lambda: manifest.add_segment(SEGMENTS[2]),
        lambda: manifest.add_segment(SEGMENTS[1]),
        lambda: manifest.set_mark(Mark(2, 2, 1024)),
        lambda: manifest.remove_segment(3),
        lambda: manifest.set_mark(Mark(3, 2, 2048, closed=True)),
        lambda: manifest.set_checkpoints([CheckpointEntry("graph", 3, 4096, 7)]),
    )
    for change in changes:
        change()
        check_read_anew(manifest)
    assert manifest.segments == tuple(SEGMENTS[:2])


@pytest.mark.parametrize("earlier", [None, Mark(1, 1, 512)])
def test_a_change_that_fails_has_not_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: Mark | None
) -> None:
    manifest = Manifest(FileStorage(tmp_path), Identity.new(), {"dim": 8}, SEGMENTS[:2])
    manifest.save()
    if earlier is not None:
        manifest.set_mark(earlier)

    def failing(*_: object) -> None:
        raise OSError(28, "no space")

    with monkeypatch.context() as broken:
        broken.setattr(FileStorage, "replace", failing)
        with pytest.raises(OSError, match="no space"):
            manifest.add_segment(SEGMENTS[2])
        with pytest.raises(OSError, match="no space"):
            manifest.remove_segment(1)
        with pytest.raises(OSError, match="no space"):
            manifest.set_mark(Mark(9, 1, 1024))
    check_read_anew(manifest)
    manifest.set_mark(Mark(2, 2, 1024))
    check_read_anew(manifest)
    assert manifest.segments == tuple(SEGMENTS[:2])

"""The manifest: whoever reads it anew finds what was changed last, also after a change that failed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    assert (read.erasing, read.horizon) == (manifest.erasing, manifest.horizon)
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
        lambda: manifest.change_erasing(lambda erasing: erasing.update({"ab": 3, "cd": 2})),
        lambda: manifest.set_mark(Mark(4, 2, 4096)),
        lambda: manifest.change_erasing(lambda erasing: erasing.clear()),
        lambda: manifest.change_settings(lambda settings: {**settings, "ttl_s": 60.0}),
    )
    for change in changes:
        change()
        check_read_anew(manifest)
    assert manifest.segments == tuple(SEGMENTS[:2])
    assert manifest.settings == {"dim": 8, "name": "n\u00f6tes", "ttl_s": 60.0}


def test_settings_that_two_threads_change_have_both_changes(tmp_path: Path) -> None:
    """One sets the retention of a space, and the other its time to live."""
    manifest = Manifest(FileStorage(tmp_path), Identity.new(), {"dim": 8})
    other = threading.Thread(target=manifest.change_settings, args=(lambda settings: {**settings, "other": 2},))

    def change(settings: dict[str, Any]) -> dict[str, Any]:
        other.start()
        return {**settings, "one": 1}

    manifest.change_settings(change)
    other.join()
    assert manifest.settings == {"dim": 8, "one": 1, "other": 2}
    check_read_anew(manifest)


def test_settings_whose_change_fails_stay(tmp_path: Path) -> None:
    manifest = Manifest(FileStorage(tmp_path), Identity.new(), {"dim": 8})
    manifest.save()
    with pytest.raises(KeyError):
        manifest.change_settings(lambda settings: {"dim": settings["no such setting"]})
    assert manifest.settings == {"dim": 8}
    check_read_anew(manifest)


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
        with pytest.raises(OSError, match="no space"):
            manifest.change_erasing(lambda erasing: erasing.update({"ab": 3}))
    check_read_anew(manifest)
    manifest.set_mark(Mark(2, 2, 1024))
    check_read_anew(manifest)
    assert manifest.segments == tuple(SEGMENTS[:2])


def test_what_refuses_to_change_what_is_erased_has_changed_nothing(tmp_path: Path) -> None:
    manifest = Manifest(FileStorage(tmp_path), Identity.new(), {"dim": 8}, SEGMENTS[:1])
    manifest.change_erasing(lambda erasing: erasing.update({"ab": 3}))

    def refused(erasing: dict[str, int]) -> None:
        erasing["cd"] = 4
        raise KeyError("cd")

    with pytest.raises(KeyError):
        manifest.change_erasing(refused)
    assert manifest.erasing == {"ab": 3}
    check_read_anew(manifest)


def test_what_a_compaction_has_left_behind_is_told_from_what_is_listed(tmp_path: Path) -> None:
    """A blank segment may lie between those that a compacted one has replaced."""
    compacted = SegmentEntry(7, 1 << 20, 2, 11, first_epoch=3, revision=2)
    blank, after = SegmentEntry(5, 1 << 20, 2, 12), SegmentEntry(8, 1 << 20, 2, 13)
    manifest = Manifest(FileStorage(tmp_path), Identity.new(), {"dim": 8}, [SEGMENTS[1], blank, compacted, after])
    numbers = [(2, 0), (3, 0), (4, 1), (5, 0), (5, 1), (6, 0), (7, 0), (7, 1), (7, 2), (7, 3), (8, 0), (8, 1), (9, 0)]
    assert manifest.left_behind(numbers) == [(3, 0), (4, 1), (5, 1), (6, 0), (7, 0), (7, 1), (7, 3), (8, 1)]

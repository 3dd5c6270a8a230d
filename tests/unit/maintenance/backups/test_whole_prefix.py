"""What of a log is backed up where its end, or what lies beside it, is in doubt: all of it, a part, or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from engram.maintenance.backups import backed_log as backed_log_module
from engram.maintenance.backups.backup import backup
from engram.maintenance.backups.copied_segment import copy_part
from engram.maintenance.backups.restore import restore
from engram.maintenance.backups.whole_prefix import whole_prefix
from engram.store import MemoryStore, StoreOptions
from tests.doubles.damaged import (
    DIM,
    SMALL_SEGMENTS,
    SPACE,
    Written,
    copied,
    flip,
    logs_of,
    make_store,
    write,
    zero,
)

RECORD = 1024


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Written]:
    path = tmp_path / "data"
    return path, make_store(path, seed=5)


def begin_of(number: int) -> int:
    """Where the record of a generation begins in the log of `unmarked`."""
    return 512 + RECORD * (number - 1)


@pytest.fixture
def unmarked(tmp_path: Path) -> Path:
    """A directory as a kill leaves it: generations 1 to 4, a record and a sync each, and a mark at the first."""
    path = tmp_path / "unmarked"
    with MemoryStore(tmp_path / "live", options=StoreOptions(mark_interval_s=3600)) as store:
        space = store.space(SPACE, dim=DIM)
        for number in range(1, 5):
            space.observe([f"id-{number}"], np.ones((1, DIM)), [f"text {number}"])
            if number == 1:
                space._engine.leave_mark()
        shutil.copytree(tmp_path / "live", path)
    return path


@pytest.mark.parametrize(
    "harm",
    [
        lambda file: flip(file, begin_of(2) + 600),
        lambda file: zero(file, begin_of(2) + 512, 512),
        lambda file: flip(file, begin_of(2) + 100),
        lambda file: zero(file, begin_of(2), RECORD),
        lambda file: flip(file, begin_of(4) + 600),
        lambda file: flip(file, begin_of(4) + 100),
    ],
    ids=["payload", "zeros in it", "header", "zeros", "payload of the last", "header of the last"],
)
def test_damage_behind_the_mark_is_refused_as_opening_refuses_it(
    unmarked: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    harm(logs_of(unmarked)[0])
    with MemoryStore(unmarked, read_only=True) as store:
        assert set(store.unsound) == {SPACE}
    report = backup(unmarked, tmp_path / "backup")
    assert set(report.refused) == {SPACE}
    assert report.damages
    assert restore(tmp_path / "backup", tmp_path / "restored").spaces == {}


@pytest.mark.parametrize("place", [begin_of(4), begin_of(4) + 512], ids=["header", "payload"])
def test_an_unfinished_write_behind_the_mark_is_left_out(unmarked: Path, tmp_path: Path, place: int) -> None:
    zero(logs_of(unmarked)[0], place, 512)
    report = backup(unmarked, tmp_path / "backup")
    assert report.is_complete
    assert report.spaces[SPACE].generation == 3


@pytest.mark.parametrize("place", [begin_of(4) + 100, begin_of(4) + 600], ids=["header", "payload"])
def test_a_sector_that_was_being_written_as_it_was_copied_is_no_damage(
    unmarked: Path, tmp_path: Path, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer had half of a sector in the file when it was copied, and all of it a moment later."""
    log = logs_of(unmarked)[0]
    flip(log, place)

    def copy_and_finish(*arguments: Any) -> None:
        copy_part(*arguments)
        flip(log, place)

    with monkeypatch.context() as patch:
        patch.setattr(backed_log_module, "copy_part", copy_and_finish)
        report = backup(unmarked, tmp_path / "backup")
    assert report.is_complete
    assert report.spaces[SPACE].generation == 3
    assert backup(unmarked, tmp_path / "backup").spaces[SPACE].generation == 4


@pytest.fixture
def grown(data: tuple[Path, Written], tmp_path: Path) -> tuple[Path, Path]:
    """A directory, and a copy from before it grew by some segments."""
    path, _ = data
    older = copied(path, tmp_path / "older")
    with MemoryStore(path, options=SMALL_SEGMENTS) as store:
        write(store.space(SPACE), Random(8), 20)
    assert len(logs_of(path)) > len(logs_of(older))
    return path, older


def test_a_space_that_was_replaced_by_an_older_copy_is_refused(grown: tuple[Path, Path], tmp_path: Path) -> None:
    path, older = grown
    shutil.rmtree(path / "spaces" / SPACE)
    copied(older / "spaces" / SPACE, path / "spaces" / SPACE)
    report = backup(path, tmp_path / "backup")
    assert report.refused[SPACE].code == "older_space"
    assert not report.spaces


def test_a_segment_that_the_manifest_does_not_know_is_refused(grown: tuple[Path, Path], tmp_path: Path) -> None:
    path, older = grown
    # Without the list of spaces, nothing else tells that the manifest is an older one.
    for name in ("store.json", f"spaces/{SPACE}/space.json"):
        shutil.copy(older / name, path / name)
    report = backup(path, tmp_path / "backup")
    assert "the manifest is older" in report.refused[SPACE].message
    assert report.damages[0].file.startswith("log/")


def test_the_segment_of_another_space_is_refused(data: tuple[Path, Written], tmp_path: Path) -> None:
    path, _ = data
    make_store(tmp_path / "stranger", seed=1, batches=3)
    shutil.copy(logs_of(tmp_path / "stranger")[0], logs_of(path)[0].with_name("000000000999.log"))
    assert backup(path, tmp_path / "backup").refused[SPACE].code == "foreign_segment"


def test_segments_that_a_writer_adds_meanwhile_are_no_strangers(
    data: tuple[Path, Written], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is being made has nothing in it yet; one that is written to is listed by then."""
    path, written = data
    log = logs_of(path)[0].parent
    (log / "000000000998.log").write_bytes(bytes(4096))
    (log / "000000000999.log").write_bytes(b"EGS2".ljust(4096, b"\0"))
    assert backup(path, tmp_path / "backup").spaces[SPACE].generation == max(written.rows)
    (log / "000000000998.log").unlink()
    (log / "000000000999.log").unlink()
    with MemoryStore(path, options=SMALL_SEGMENTS) as store:
        count = len(logs_of(path))

        def grow_first(*arguments: Any) -> Any:
            while len(logs_of(path)) == count:
                write(store.space(SPACE), Random(8), 1)
            return whole_prefix(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(backed_log_module, "whole_prefix", grow_first)
            report = backup(path, tmp_path / "backup")
    assert report.is_complete
    assert report.spaces[SPACE].generation >= max(written.rows)

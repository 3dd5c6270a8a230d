"""`backup` copies what is whole beside a writer, only what is new; `restore` makes the same store of it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from engram.errors import (
    AlreadyExists,
    CorruptData,
    EngramError,
    FailedPrecondition,
    InvalidInput,
    NewerFormat,
    NotFound,
)
from engram.log.files.checked_json import encode_checked
from engram.log.files.file_storage import FileStorage
from engram.maintenance.backups import backed_log, copied_segment
from engram.maintenance.backups import backup as backup_module
from engram.maintenance.backups.backup import backup
from engram.maintenance.backups.copied_segment import copy_part
from engram.maintenance.backups.restore import restore
from engram.maintenance.backups.whole_prefix import Part
from engram.maintenance.verify import verify
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import MemoryStore, StoreOptions
from engram.store.compaction.segment_rewriting import SegmentRewriting
from tests.doubles.damaged import (
    DIM,
    SMALL_SEGMENTS,
    SPACE,
    Written,
    copied,
    everything_in,
    flip,
    logs_of,
    make_store,
    write,
    zero,
)
from tests.doubles.old_formats import unpack_format


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Written]:
    path = tmp_path / "data"
    return path, make_store(path, seed=5)


def check_holds(path: Path, written: Written, until: int) -> None:
    """The store in a directory is what was written up to a generation."""
    known = Written({g: row for g, row in written.rows.items() if g <= until}, written.vectors)
    with MemoryStore(path, read_only=True) as store:
        space = store.space(SPACE, create=False)
        assert space.generation == until
        newest = known.newest()
        assert space.stats().live_count == len(newest)
        for id, generation in newest.items():
            hit = space.get(id)
            assert hit is not None
            assert (hit.generation, hit.content) == (generation, known.rows[generation][1])
            assert hit.vector is not None
            np.testing.assert_array_equal(hit.vector, known.vectors[generation])


def test_what_is_restored_is_what_was_backed_up(data: tuple[Path, Written], tmp_path: Path) -> None:
    path, written = data
    before = everything_in(path)
    report = backup(path, tmp_path / "backup")
    assert report.is_complete
    last = max(written.rows)
    assert {name: space.generation for name, space in report.spaces.items()} == {SPACE: last}
    assert everything_in(path) == before
    backed_up = everything_in(tmp_path / "backup")
    assert restore(tmp_path / "backup", tmp_path / "restored").spaces == {SPACE: last}
    assert everything_in(tmp_path / "backup") == backed_up
    check_holds(tmp_path / "restored", written, last)
    with MemoryStore(path, read_only=True) as old, MemoryStore(tmp_path / "restored") as new:
        query = np.ones(DIM, np.float32)
        assert [h.id for h in old.space(SPACE).recall(query, 20)] == [h.id for h in new.space(SPACE).recall(query, 20)]
        one, two = old.space(SPACE)._engine.identity, new.space(SPACE)._engine.identity
        assert one[:2] == two[:2]
        assert one.incarnation != two.incarnation
        assert new.space(SPACE).observe(["new"], np.ones((1, DIM))) == last + 1


def test_only_what_is_new_is_copied_again(data: tuple[Path, Written], tmp_path: Path) -> None:
    path, written = data
    first = backup(path, tmp_path / "backup")
    assert first.kept_bytes == 0
    again = backup(path, tmp_path / "backup")
    assert (again.copied_bytes, again.kept_bytes) == (0, first.copied_bytes)
    names = {file.name for file in (tmp_path / "backup" / "segments").iterdir()}
    with MemoryStore(path, options=SMALL_SEGMENTS) as store:
        space = store.space(SPACE)
        space.observe(["new"], np.ones((1, DIM)), ["new"])
        more = backup(path, tmp_path / "backup")
    assert 0 < more.copied_bytes <= 16 << 10
    assert more.kept_bytes > 0
    kept = names & {file.name for file in (tmp_path / "backup" / "segments").iterdir()}
    assert len(kept) == len(names) - 1, "the last segment alone has another content"
    restore(tmp_path / "backup", tmp_path / "restored")
    written.rows[max(written.rows) + 1] = ("new", "new")
    written.vectors[max(written.rows)] = np.ones(DIM, np.float32)
    check_holds(tmp_path / "restored", written, max(written.rows))


def test_beside_a_writer_everything_acknowledged_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with MemoryStore(path, options=SMALL_SEGMENTS) as store:
        space = store.space(SPACE, dim=DIM)
        random = Random(1)
        written = write(space, random, 15)
        assert backup(path, tmp_path / "one").spaces[SPACE].generation == space.generation == max(written.rows)
        # Another space appears meanwhile.
        store.space("other", dim=DIM).observe(["x"], np.ones((1, DIM)))
        assert set(backup(path, tmp_path / "one").spaces) == {SPACE, "other"}
    restore(tmp_path / "one", tmp_path / "restored")
    check_holds(tmp_path / "restored", written, max(written.rows))


def test_a_damaged_space_is_refused_and_its_earlier_copy_stays(data: tuple[Path, Written], tmp_path: Path) -> None:
    path, written = data
    with MemoryStore(path) as store:
        store.space("other", dim=DIM).observe(["x"], np.ones((1, DIM)))
    backup(path, tmp_path / "backup")
    last = max(written.rows)
    # The segment that an incremental backup reads again.
    flip(logs_of(path)[-1], 2000)
    report = backup(path, tmp_path / "backup")
    assert not report.is_complete
    assert set(report.refused) == {SPACE}
    assert report.refused[SPACE].code == "corrupt_data"
    assert report.kept[SPACE].generation == last
    assert set(report.spaces) == {"other"}
    assert report.damages[0].file == f"log/{logs_of(path)[-1].name}"
    restore(tmp_path / "backup", tmp_path / "restored")
    check_holds(tmp_path / "restored", written, last)


@pytest.mark.parametrize("number", [0, 2, -1])
@pytest.mark.parametrize(
    "harm",
    [
        lambda file: flip(file, 600),
        lambda file: flip(file, 2000),
        lambda file: zero(file, 1024, 4096),
        lambda file: zero(file, 512, 1 << 20),
        lambda file: file.unlink(),
        lambda file: flip(file, 100),
    ],
    ids=["header", "payload", "page", "all", "missing", "first sector"],
)
def test_damaged_data_is_never_backed_up(
    data: tuple[Path, Written], tmp_path: Path, number: int, harm: Callable[[Path], None]
) -> None:
    path, _ = data
    harm(logs_of(path)[number])
    report = backup(path, tmp_path / "backup")
    assert set(report.refused) == {SPACE}
    assert not report.spaces
    assert restore(tmp_path / "backup", tmp_path / "restored").spaces == {}


@pytest.mark.parametrize("file", ["store.json", f"spaces/{SPACE}/space.json"])
def test_damaged_descriptions_are_named(data: tuple[Path, Written], tmp_path: Path, file: str) -> None:
    flip(data[0] / file, 40)
    report = backup(data[0], tmp_path / "backup")
    assert not report.is_complete
    assert report.damages or report.refused


@pytest.mark.parametrize("step", ["_back_up_space", "_check", "write_backup"])
def test_an_interrupted_backup_leaves_the_earlier_one(
    data: tuple[Path, Written], tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, written = data
    last = max(written.rows)
    backup(path, tmp_path / "backup")
    with MemoryStore(path, options=SMALL_SEGMENTS) as store:
        write(store.space(SPACE), Random(9), 5)

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(backup_module, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            backup(path, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")
    check_holds(tmp_path / "restored", written, last)
    assert backup(path, tmp_path / "backup").spaces[SPACE].generation > last
    restore(tmp_path / "backup", tmp_path / "newer")


@pytest.mark.parametrize("harm", [lambda file: flip(file, 700), lambda file: file.unlink(), lambda file: zero(file, 0)])
def test_a_damaged_backup_is_not_restored_and_not_added_to(
    data: tuple[Path, Written], tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    backup(data[0], tmp_path / "backup")
    harm(min((tmp_path / "backup" / "segments").iterdir()))
    with pytest.raises(CorruptData) as caught:
        restore(tmp_path / "backup", tmp_path / "restored")
    assert caught.value.code == "corrupt_backup"
    assert not (tmp_path / "restored").exists()
    with pytest.raises(CorruptData):
        backup(data[0], tmp_path / "backup")


def test_a_backup_of_a_newer_format_is_refused_by_name(data: tuple[Path, Written], tmp_path: Path) -> None:
    backup(data[0], tmp_path / "backup")
    (tmp_path / "backup" / "backup.json").write_bytes(encode_checked({"format": 9, "needs": "9.1"}))
    with pytest.raises(NewerFormat, match=r"9\.1"):
        restore(tmp_path / "backup", tmp_path / "restored")


def test_nothing_is_restored_over_what_is_there(data: tuple[Path, Written], tmp_path: Path) -> None:
    path, written = data
    backup(path, tmp_path / "backup")
    before = everything_in(path)
    with pytest.raises(AlreadyExists) as caught:
        restore(tmp_path / "backup", path)
    assert caught.value.code == "directory_not_empty"
    assert everything_in(path) == before
    with MemoryStore(path) as store:
        store.space(SPACE).observe(["new"], np.ones((1, DIM)))
    with pytest.raises(
        AlreadyExists, match=f"generation {max(written.rows) + 1} there, and to {max(written.rows)}"
    ) as caught:
        restore(tmp_path / "backup", path)
    assert caught.value.code == "newer_directory"
    with pytest.raises(AlreadyExists):
        restore(tmp_path / "backup", data[0] / "store.json")
    with pytest.raises(NotFound):
        restore(tmp_path / "none", tmp_path / "restored")
    with pytest.raises(NotFound, match="no backup"):
        restore(path, tmp_path / "restored")


def test_what_a_killed_process_wrote_behind_its_last_mark_counts_as_newer(tmp_path: Path) -> None:
    with MemoryStore(tmp_path / "data") as store:
        space = store.space(SPACE, dim=DIM)
        space.observe(["one"], np.ones((1, DIM)))
        backup(tmp_path / "data", tmp_path / "backup")
        marked = (tmp_path / "data" / "spaces" / SPACE / "space.json").read_bytes()
        space.observe(["two"], np.ones((1, DIM)))
        # A copy is what a kill at this moment leaves.
        shutil.copytree(tmp_path / "data", tmp_path / "killed")
    (tmp_path / "killed" / "spaces" / SPACE / "space.json").write_bytes(marked)
    with pytest.raises(AlreadyExists, match="generation 2 there, and to 1") as caught:
        restore(tmp_path / "backup", tmp_path / "killed")
    assert caught.value.code == "newer_directory"


def test_an_older_store_does_not_take_the_place_of_a_newer_backup(data: tuple[Path, Written], tmp_path: Path) -> None:
    path, written = data
    older = copied(path, tmp_path / "older")
    with MemoryStore(path) as store:
        store.space(SPACE).observe(["new"], np.ones((1, DIM)))
    backup(path, tmp_path / "backup")
    report = backup(older, tmp_path / "backup")
    assert report.refused[SPACE].code == "newer_directory"
    assert report.kept[SPACE].generation == max(written.rows) + 1


def test_a_restored_store_is_backed_up_elsewhere(data: tuple[Path, Written], tmp_path: Path) -> None:
    backup(data[0], tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")
    assert backup(tmp_path / "restored", tmp_path / "backup").refused[SPACE].code == "foreign_backup"
    assert backup(tmp_path / "restored", tmp_path / "another").is_complete


def test_the_destination_must_be_a_backup_of_this_store(data: tuple[Path, Written], tmp_path: Path) -> None:
    path, _ = data
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    make_store(tmp_path / "stranger", seed=1, batches=3)
    backup(tmp_path / "stranger", tmp_path / "strange")
    for destination, code in (("full", "directory_not_empty"), ("strange", "foreign_backup")):
        with pytest.raises(AlreadyExists) as caught:
            backup(path, tmp_path / destination)
        assert caught.value.code == code
    with pytest.raises(InvalidInput):
        backup(path, path / "backup")
    with pytest.raises(NotFound):
        backup(tmp_path / "none", tmp_path / "backup")


def test_a_directory_of_format_1_is_backed_up(tmp_path: Path) -> None:
    unpacked = unpack_format(1, tmp_path / "old")
    root = next(path.parent for path in unpacked.rglob("spaces") if path.is_dir())
    before = everything_in(root)
    adopted = copied(root, tmp_path / "adopted")
    with MemoryStore(adopted) as store:
        for space in store.spaces():
            if space.generation:
                space.observe(["new"], np.ones((1, space.config.dim)))
    for number, path in enumerate((root, adopted)):
        report = backup(path, tmp_path / f"backup{number}")
        assert report.is_complete
        restored = restore(tmp_path / f"backup{number}", tmp_path / f"restored{number}")
        assert verify(tmp_path / f"restored{number}").is_sound
        with MemoryStore(path, read_only=True) as old:
            assert restored.spaces == {space.config.name: space.generation for space in old.spaces()}
    assert everything_in(root) == before


def test_a_torn_end_is_left_out(data: tuple[Path, Written], tmp_path: Path) -> None:
    """What an unfinished write left behind the mark is neither damage nor part of the backup."""
    path, written = data
    live = tmp_path / "live"
    with MemoryStore(path, options=SMALL_SEGMENTS) as store:
        space = store.space(SPACE)
        space._engine.leave_mark()
        space.observe(["torn"], np.ones((1, DIM)), ["t" * 3000])
        shutil.copytree(path, live)
    file = logs_of(live)[-1]
    place = file.read_bytes().find(b"t" * 3000)
    zero(file, place + 512 - place % 512, 512)
    report = backup(live, tmp_path / "backup")
    assert report.is_complete
    assert report.spaces[SPACE].generation == max(written.rows)
    restore(tmp_path / "backup", tmp_path / "restored")
    check_holds(tmp_path / "restored", written, max(written.rows))


def test_a_full_disk_is_told_with_what_is_missing(
    data: tuple[Path, Written], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(copied_segment, "_write_all", full)
        error = backup(data[0], tmp_path / "backup").refused[SPACE]
    assert (error.code, int(error.value) > 0, int(error.limit) > 0) == ("disk_full", True, True)
    assert f"a write needs {error.value} bytes" in error.message
    assert backup(data[0], tmp_path / "backup").refused == {}


def test_errors_are_typed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for call in (lambda: backup(tmp_path / "file", tmp_path / "b"), lambda: restore(tmp_path / "file", tmp_path / "b")):
        with pytest.raises(EngramError):
            call()


def test_compactions_beside_it_do_not_keep_it_from_coming_to_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each segment is replaced when it is about to be copied."""
    # Each run has one segment.
    monkeypatch.setattr("engram.store.compaction.segment_choice._RUN_BYTES_MAX", -1)
    path, options = tmp_path / "data", replace(SMALL_SEGMENTS, log_compaction_bytes_per_s=0)
    with MemoryStore(path, options=options) as store:
        space = store.space(SPACE, dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        written = write(space, Random(3), 60)
        engine = space._engine
        engine.retention.advance()
        compaction = engine.log_compaction

        def copying(source: FileStorage, part: Part, *others: Any) -> None:
            horizon = engine.retention.expired
            run = compaction.choice.next_run(horizon)
            if run and run[0].segment.name == part.entry.name:
                compaction._compact(run, horizon, SegmentRewriting(engine._state, lambda nbytes: None))
            copy_part(source, part, *others)

        monkeypatch.setattr(backed_log, "copy_part", copying)
        report = backup(path, tmp_path / "backup")
        assert compaction.compactions > 5
        assert report.is_complete
        assert report.copied_bytes == report.spaces[SPACE].nbytes
    names = {file.name for file in (tmp_path / "backup" / "segments").iterdir()}
    assert names == set(report.spaces[SPACE].file_names), "what was copied in vain is gone"
    restore(tmp_path / "backup", tmp_path / "restored")
    check_holds(tmp_path / "restored", written, max(written.rows))


def test_a_segment_that_is_really_missing_is_missed(data: tuple[Path, Written], tmp_path: Path) -> None:
    path, _ = data
    logs_of(path)[1].unlink()
    report = backup(path, tmp_path / "backup")
    assert report.refused[SPACE].code == "missing_segment"


def test_an_erasure_that_is_not_finished_goes_on_where_it_is_restored(tmp_path: Path) -> None:
    path, options = tmp_path / "data", StoreOptions(mark_interval_s=3600.0)
    with MemoryStore(path, options=options) as store:
        space = store.space(SPACE, dim=DIM)
        space.observe(["ann", "ben"], np.eye(2, DIM), ["the secret of ann", "what ben says"])
        space.delete(["ann"])
        space._engine._erasure.note(["ann"], space.generation)
        backup(path, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")
    traces = verify(tmp_path / "restored", erased=["ann"]).traces
    assert traces[-1].message == f"an erasure that is not finished of 'ann' is in {SPACE}/space.json"
    with MemoryStore(tmp_path / "restored", options=options) as store:
        compaction = store.space(SPACE)._engine.log_compaction
        assert compaction.is_due()
        compaction.run(lambda nbytes: None)
    assert verify(tmp_path / "restored", erased=["ann"]).traces == []
    assert not any(b"the secret of ann" in content for _, content in everything_in(tmp_path / "restored").values())


@pytest.mark.parametrize("read_only", [False, True])
def test_a_backup_is_not_taken_for_an_empty_store(data: tuple[Path, Written], tmp_path: Path, read_only: bool) -> None:
    backup(data[0], tmp_path / "backup")
    before = everything_in(tmp_path / "backup")
    with pytest.raises(FailedPrecondition, match="engram restore") as caught:
        MemoryStore(tmp_path / "backup", read_only=read_only)
    assert caught.value.code == "is_backup"
    with pytest.raises(FailedPrecondition, match="engram restore"):
        verify(tmp_path / "backup")
    assert everything_in(tmp_path / "backup") == before


def test_a_renamed_space_goes_on_in_its_backup(data: tuple[Path, Written], tmp_path: Path) -> None:
    path, written = data
    backup(path, tmp_path / "backup")
    with MemoryStore(path) as store:
        store.rename(SPACE, "renamed")
        store.alias("current", "renamed")
        store.space("other", dim=DIM)
    report = backup(path, tmp_path / "backup")
    assert report.is_complete
    assert sorted(report.spaces) == ["other", "renamed"]
    assert report.kept_bytes > 0
    restore(tmp_path / "backup", tmp_path / "restored")
    with MemoryStore(tmp_path / "restored", read_only=True) as store:
        assert [space.name for space in store.spaces()] == ["other", "renamed"]
        assert store.aliases() == {"current": "renamed"}
        assert store.space("current", create=False).generation == max(written.rows)


def test_a_dropped_space_stays_in_its_backup(data: tuple[Path, Written], tmp_path: Path) -> None:
    path, written = data
    with MemoryStore(path) as store:
        store.space("other", dim=DIM)
    backup(path, tmp_path / "backup")
    with MemoryStore(path) as store:
        store.drop(SPACE)
        store.alias(SPACE, "other")
    report = backup(path, tmp_path / "backup")
    assert (list(report.spaces), list(report.kept), report.is_complete) == (["other"], [SPACE], False)
    restore(tmp_path / "backup", tmp_path / "restored")
    check_holds(tmp_path / "restored", written, max(written.rows))
    with MemoryStore(tmp_path / "restored", read_only=True) as store:
        # A name is that of a space or of an alias.
        assert store.aliases() == {}


def test_a_space_of_a_dropped_name_does_not_take_the_place_of_the_former_one(
    data: tuple[Path, Written], tmp_path: Path
) -> None:
    path, written = data
    backup(path, tmp_path / "backup")
    with MemoryStore(path) as store:
        store.drop(SPACE)
        store.space(SPACE, dim=DIM)
    report = backup(path, tmp_path / "backup")
    assert report.refused[SPACE].code == "foreign_backup"
    restore(tmp_path / "backup", tmp_path / "restored")
    check_holds(tmp_path / "restored", written, max(written.rows))

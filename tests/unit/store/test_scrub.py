"""Everything stored is read and checked, whether or not anybody asks for it; what is damaged is named once."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from engram.errors import CorruptData, FailedPrecondition, Unavailable
from engram.log.files import patient_opening
from engram.log.records.record import Record
from engram.log.segments.segment import Segment
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.housekeeping import Housekeeping
from engram.store.indexing import checkpoints
from tests.doubles.batches import DIM
from tests.doubles.stored_ids import observe
from tests.doubles.waiting import wait_until_indexed

# The thread of the store itself keeps out of it.
OPTIONS = StoreOptions(segment_bytes=1 << 16, scrub_bytes_per_s=0, mark_interval_s=3600)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path / "data", options=OPTIONS) as store:
        for name in ("notes", "other"):
            space = store.space(name, dim=DIM)
            for number in range(30):
                observe(space, *(f"{number}-{row}" for row in range(1 + number * 3)))
            wait_until_indexed(space)
        store.checkpoint()
        yield store


def flip(file: Path, offset: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        (byte,) = opened.read(1)
        opened.seek(offset)
        opened.write(bytes([byte ^ 0x10]))


def notes_of(store: MemoryStore) -> tuple[Space, Path]:
    assert store.path is not None
    return store.space("notes"), store.path / "spaces" / "notes"


def flip_in(store: MemoryStore, name: str, number: int = 0) -> Record:
    """Damage the record at index `number` of the space called `name`, and return it."""
    assert store.path is not None
    record = list(store.space(name)._engine._state.log.records())[number]
    flip(store.path / "spaces" / name / "log" / record.segment.name, record.position + 600)
    return record


def test_what_is_sound_is_read_whole_and_nothing_is_said(store: MemoryStore) -> None:
    space, folder = notes_of(store)
    stored = sum(record.nbytes for record in space._engine._state.log.records())
    (checkpoint,) = (folder / "checkpoints").iterdir()
    assert sum(space._engine.scrub()) >= stored + checkpoint.stat().st_size
    assert store.scrub() == ()
    assert len(list((folder / "log").iterdir())) > 1


def test_every_damaged_record_is_named_once(store: MemoryStore) -> None:
    space, folder = notes_of(store)
    records = list(space._engine._state.log.records())
    chosen = [records[0], records[7], records[-1]]
    for record in chosen:
        flip(folder / "log" / record.segment.name, record.position + record.nbytes - 700)
    for _ in range(2):
        damages = store.scrub()
        assert {(one.first_generation, one.last_generation) for one in damages} == {
            (record.first_generation, record.last_generation) for record in chosen
        }
        assert len(damages) == len(chosen)
    assert {one.space for one in damages} == {"notes"}
    assert space.stats().damaged_count == len(chosen)


def test_a_damaged_header_does_not_hide_what_lies_behind_it(store: MemoryStore) -> None:
    space, folder = notes_of(store)
    first, second = list(space._engine._state.log.records())[:2]
    flip(folder / "log" / first.segment.name, first.position + 26)
    flip(folder / "log" / second.segment.name, second.position + 600)
    assert [one.first_generation for one in store.scrub()] == [first.first_generation, second.first_generation]


def test_files_that_are_missing_cut_or_others_are_named(store: MemoryStore) -> None:
    _, folder = notes_of(store)
    first, second, third, *_ = sorted((folder / "log").iterdir())
    (checkpoint,) = (folder / "checkpoints").iterdir()
    first.unlink()
    second.write_bytes(third.read_bytes())
    flip(checkpoint, checkpoint.stat().st_size // 2)
    shutil.copy(folder.parent / "other" / "space.json", folder / "space.json")
    files = {damage.file for damage in store.scrub()}
    assert {f"log/{first.name}", f"log/{second.name}", f"checkpoints/{checkpoint.name}", "space.json"} <= files


def test_the_housekeeping_thread_reads_a_little_every_round_and_all_in_the_end(store: MemoryStore) -> None:
    record = flip_in(store, "notes", 3)
    options = StoreOptions(scrub_bytes_per_s=50_000, scrub_interval_s=3600)
    housekeeping = Housekeeping(store._engine.spaces, store._engine._catalogue, options)
    rounds = 0
    while housekeeping.scrubs == 0:
        housekeeping._scrub()
        rounds += 1
    assert rounds > 1
    assert [one.first_generation for one in store.damages()] == [record.first_generation]
    # It is not due again yet.
    housekeeping._scrub()
    assert housekeeping.scrubs == 1


def test_a_dropped_store_is_not_kept_alive_by_its_scrub(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path / "data", options=OPTIONS)
    housekeeping = Housekeeping(store._engine.spaces, store._engine._catalogue, StoreOptions(scrub_bytes_per_s=1))
    observe(store.space("notes", dim=DIM), *(f"id-{row}" for row in range(100)))
    housekeeping._scrub()
    assert housekeeping._scrubbing is not None
    held = housekeeping._scrubbing.gi_frame.f_locals  # type: ignore[attr-defined]
    assert not any(isinstance(value, Space) for value in held.values())
    store.close()


def test_a_space_whose_mark_cannot_be_written_keeps_nothing_else_from_being_done(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The broken one is the first by name."""
    _, folder = notes_of(store)
    other = store.space("other")
    shutil.rmtree(folder)
    housekeeping = Housekeeping(store._engine.spaces, store._engine._catalogue, StoreOptions(scrub_interval_s=3600))
    for _ in range(60):
        housekeeping._round()
    assert other._engine._state.manifest.mark.generation == other.durable_generation > 0
    assert store._engine._catalogue.listed("other").generation == other.durable_generation
    assert housekeeping.scrubs == 1
    logged = [record.message for record in caplog.records if "(not_noted)" in record.message]
    assert len(logged) == 1


def test_a_space_that_cannot_be_scrubbed_keeps_no_other_from_it(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, _ = notes_of(store)
    flip_in(store, "other")

    def failing() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    monkeypatch.setattr(notes._engine, "scrub", failing)
    housekeeping = Housekeeping(store._engine.spaces, store._engine._catalogue, StoreOptions(scrub_interval_s=3600))
    housekeeping._round()
    assert [damage.space for damage in store.damages()] == ["other"]


def test_a_directory_that_cannot_be_looked_into_keeps_no_other_from_being_scrubbed(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, _ = notes_of(store)
    record = flip_in(store, "other")
    storage = notes._engine._state.manifest.storage

    def refuse(name: str) -> bool:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(storage, "is_directory", refuse)
    assert {(damage.space, damage.file) for damage in store.scrub()} == {
        ("notes", "space.json"),
        ("other", f"log/{record.segment.name}"),
    }


@pytest.mark.parametrize("part", ["store.json", "space.json", "/log/", "/checkpoints/"])
@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_shortage_is_no_damage_and_all_is_read_again_soon(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, part: str, code: int
) -> None:
    really = os.open

    def short(path: str, *arguments: int, **named: int) -> int:
        if part in path:
            raise OSError(code, os.strerror(code))
        return really(path, *arguments, **named)

    options = StoreOptions(scrub_interval_s=3600)
    housekeeping = Housekeeping(store._engine.spaces, store._engine._catalogue, options, store._engine._problems)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", short)
        patch.setattr(patient_opening, "PAUSES_S", ())
        with pytest.raises(Unavailable) as refusal:
            store.scrub()
        assert refusal.value.code == ("no_memory" if code == errno.ENOMEM else "too_many_files")
        while housekeeping.scrubs == 0:
            housekeeping._scrub()
        # A round in which nothing is due changes nothing.
        housekeeping._round()
    found = [(problem.name, problem.space) for problem in store.problems() if problem.name != "not_noted"]
    assert found == [("scrub_failed", space) for space in ([""] if part == "store.json" else ["notes", "other"])]
    assert (store.damages(), housekeeping.scrubs) == ((), 1)
    assert housekeeping._scrub_due_s < time.monotonic() + 61
    housekeeping._scrub_due_s = 0
    while housekeeping.scrubs == 1:
        housekeeping._round()
    assert (store.problems(), store.damages()) == ((), ())


def test_a_large_checkpoint_is_read_a_piece_at_a_time(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two pieces the housekeeping thread leaves marks, and can be stopped."""
    space, folder = notes_of(store)
    (checkpoint,) = (folder / "checkpoints").iterdir()
    monkeypatch.setattr(checkpoints, "_CHUNK_BYTES", 4096)
    reads: list[int] = []
    preadv = os.preadv

    def counted(*args: Any) -> int:
        reads.append(preadv(*args))
        return reads[-1]

    monkeypatch.setattr(os, "preadv", counted)
    pieces = []
    for nbytes in space._engine.scrub():
        assert len(reads) <= 2
        if sum(reads):
            pieces.append(nbytes)
        reads.clear()
    assert sum(pieces) == checkpoint.stat().st_size
    assert max(pieces) == 4096


def test_a_scrub_that_is_stopped_leaves_no_file_open(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = notes_of(store)
    (checkpoint,) = (folder / "checkpoints").iterdir()
    monkeypatch.setattr(checkpoints, "_CHUNK_BYTES", 4096)
    housekeeping = Housekeeping(store._engine.spaces, store._engine._catalogue, StoreOptions(scrub_bytes_per_s=1))

    def is_open() -> bool:
        descriptors = Path("/dev/fd")
        return any(os.path.samefile(one, checkpoint) for one in descriptors.iterdir() if one.exists())

    while not is_open():
        housekeeping._scrub()
        assert housekeeping.scrubs == 0
    housekeeping.stop()
    assert not is_open()


def test_what_is_read_to_its_end_while_it_is_written_has_its_records(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scrub that meets damage asks for the record, also in the moment in which that becomes part of the log."""
    space, folder = notes_of(store)
    log = space._engine._state.log
    add = log._add
    scrubbed = []

    def scrub_first(segment: Segment, records: Sequence[Record]) -> None:
        flip(folder / "log" / segment.name, records[0].position + 600)
        scrubbed.append(sum(space._engine.scrub()))
        add(segment, records)

    monkeypatch.setattr(log, "_add", scrub_first)
    with contextlib.suppress(CorruptData):
        observe(space, "late")
    assert len(scrubbed) == 1
    monkeypatch.undo()
    assert [one.first_generation for one in store.scrub()] == [log.last_generation]


def test_the_files_of_a_closed_store_are_not_called_damaged(store: MemoryStore) -> None:
    store.close()
    with pytest.raises(FailedPrecondition) as refused:
        store.scrub()
    assert refused.value.code == "closed"
    assert store.damages() == ()


def test_a_scrub_ends_when_its_store_is_closed(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    space, _ = notes_of(store)
    pieces = space._engine.scrub()

    def closing() -> Iterator[int]:
        yield next(pieces)
        store.close()
        yield from pieces

    monkeypatch.setattr(space._engine, "scrub", closing)
    with pytest.raises(FailedPrecondition, match="the store is closed"):
        store.scrub()
    assert store.damages() == ()

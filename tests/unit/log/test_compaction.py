"""Compaction of the log: what is kept, what recovery finds of what was dropped, and what a crash leaves."""

from __future__ import annotations

import errno
from collections.abc import Callable
from copy import deepcopy
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.errors import CorruptData, FailedPrecondition, Unavailable
from engram.log.compaction import SegmentCompaction
from engram.log.files.memory_storage import MemoryStorage
from engram.log.files.storage import Storage
from engram.log.identity import new_salt
from engram.log.log import Log
from engram.log.manifest import FILE_NAME, SegmentEntry
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.progress import Horizon
from engram.log.records.record import Record
from engram.log.records.record_table import RecordPage
from engram.log.records.sectors import SECTOR_BYTES
from engram.log.segments.segment import segment_name
from engram.log.segments.segment_header import SegmentHeader
from tests.doubles.batches import batch_of, content_of, vector_of
from tests.doubles.faulty_storage import Fault, Faults, FaultyStorage
from tests.doubles.logs import manifest_of, open_log, segment_names

_SEGMENT_BYTES = 8 << 10
_ROUNDS = 30


def write(log: Log, rounds: int = _ROUNDS) -> None:
    """Observe the same three ids again and again, in two sessions, and delete a fourth one in between."""
    for number in range(rounds):
        session = f"session-{number % 2}"
        first = log.last_generation + 1
        batch = batch_of(["a", "b", "c"], version=number)
        log.append([LogEntry(RecordKind.OBSERVE, first, batch, (), session, 1 + 3 * (number // 2), writer=7)])
        if number == 1:
            log.append([LogEntry(RecordKind.DELETE, first + 3, ids=["d"])])
        log.sync()


def newest_only(log: Log) -> Callable[[Record], NDArray[np.int64]]:
    """Keep the last version of each id, and all deletions."""
    last: dict[str, int] = {}
    for record in log.records():
        if record.kind is RecordKind.OBSERVE:
            last.update(zip(record.ids(), record.generations.tolist(), strict=True))
    kept = np.array(sorted(last.values()))

    def survivors(record: Record) -> NDArray[np.int64]:
        if record.kind is RecordKind.DELETE:
            return np.arange(record.count)
        return np.flatnonzero(np.isin(record.generations, kept))

    return survivors


def every_fourth(record: Record) -> NDArray[np.int64]:
    """Keep rows that leave gaps."""
    if record.kind is RecordKind.DELETE:
        return np.arange(record.count)
    return np.flatnonzero(record.generations % 4 == 0)


def compact(
    log: Log, storage: Storage, survivors: Callable[[Record], NDArray[np.int64]], run: slice = slice(None, -1)
) -> RecordPage:
    pages = log.pages[run]
    compaction = SegmentCompaction(log, storage, lambda nbytes: None)
    page = compaction.compact(pages, Horizon(pages[-1].last_generation, 5), survivors)
    compaction.remove(pages)
    return page


def rows_of(log: Log) -> list[tuple[int, str, str]]:
    """Generation, id and text of every observation; its vector is compared with the one it was written with."""
    found = []
    for record in log.records():
        if record.kind is RecordKind.DELETE:
            continue
        for row in range(record.count):
            stored = record.row(row)
            version = stored.metadata_json.split('"version":')[1].rstrip("}")
            vector = record.vector(row)
            assert vector is not None
            assert np.array_equal(vector, vector_of(stored.id, int(version)))
            found.append((record.generation(row), stored.id, stored.content))
    return found


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


def test_what_is_kept_keeps_its_generation_and_content(storage: MemoryStorage) -> None:
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log)
    assert len(log.pages) > 4
    before = rows_of(log)
    end = log.pages[-2].last_generation
    expected = [row for row in before if row[0] % 4 == 0 or row[0] > end]
    page = compact(log, storage, every_fourth)
    assert rows_of(log) == expected
    assert any(record.has_gaps for record in page.records)
    log.close()
    again = open_log(storage)
    assert rows_of(again) == expected
    assert again.last_generation == log.last_generation
    assert again.horizon == Horizon(end, 5)
    for generation, id, text in expected:
        record, row = again.locate(generation)
        assert (record.id(row), record.content(row)) == (id, text)


def test_a_dropped_generation_is_told_from_one_that_never_was(storage: MemoryStorage) -> None:
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log)
    compact(log, storage, every_fourth)
    with pytest.raises(FailedPrecondition) as refused:
        log.locate(1)
    assert refused.value.code == "snapshot_expired"
    for generation in (0, log.last_generation + 1):
        with pytest.raises(LookupError):
            log.locate(generation)


def test_readers_go_on_where_they_were_when_segments_are_replaced(storage: MemoryStorage) -> None:
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log)
    reading = log.records_from(1)
    seen = [next(reading).last_generation for _ in range(3)]
    kept = log.pages[0].records[0]
    compact(log, storage, newest_only(log))
    seen += [record.last_generation for record in reading]
    assert seen == sorted(set(seen)), "nothing comes twice"
    assert seen[-1] == log.last_generation
    assert kept.content(0) == content_of("a", 0), "what was found before stays readable"


def test_times_and_searches_back_know_only_what_is_there(storage: MemoryStorage) -> None:
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log)
    compact(log, storage, every_fourth)
    newest = log.last_generation
    back = [(record.generation(rows - 1), rows) for record, rows in log.backwards(newest) if rows]
    assert back[0][0] == newest
    assert [generation for generation, _ in back] == sorted((one for one, _ in back), reverse=True)
    last = log.records()[-1]
    assert log.generation_at(last.committed_us) == newest
    assert log.generation_at(0) == 0


def test_progress_of_sessions_outlives_their_rows(storage: MemoryStorage) -> None:
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log)
    written = [(one.session, one.first_sequence, one.count) for one in log.pages[0].records if one.session]
    compact(log, storage, lambda record: np.arange(0))
    log.close()
    again = open_log(storage)
    (kept,) = again.pages[0].progress
    progress = kept.progress()
    told = dict(zip(progress.sessions, progress.ranges.tolist(), strict=True))
    # The ranges of a session are not contiguous in generations, so each is there.
    assert len(progress.sessions) > len(written)
    assert {writer for _, _, _, writer in told.values()} == {7}
    ends = {session: first + rows - 1 for session, (first, rows, _, _) in told.items()}
    assert ends.keys() == {"session-0", "session-1"}
    assert sum(ends.values()) == again.pages[0].last_generation - 1, "every sequence number but the deletion's"


def test_a_segment_is_compacted_again_with_its_neighbours(storage: MemoryStorage) -> None:
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log)
    compact(log, storage, every_fourth, slice(0, 2))
    compact(log, storage, every_fourth, slice(1, 3))
    page = compact(log, storage, newest_only(log), slice(0, 2))
    assert page.segment.revision == 2
    log.close()
    again = open_log(storage)
    assert again.pages[0].segment.name == page.segment.name
    again.append([LogEntry(RecordKind.OBSERVE, again.last_generation + 1, batch_of(["z"]))])
    again.sync()
    again.close()
    assert rows_of(open_log(storage))[-1][1] == "z"


def test_the_next_record_does_not_go_into_a_compacted_segment(storage: MemoryStorage) -> None:
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log)
    page = compact(log, storage, newest_only(log))
    # As a backup leaves it that was taken when the last segment had only the remains of a crash.
    rest = log.pages[1:]
    log.close()
    manifest = manifest_of(storage)
    for one in rest:
        manifest.remove_segment(one.segment.epoch)
        storage.remove(one.segment.name)
    manifest.set_mark(manifest.mark)
    manifest._mark = manifest.mark._replace(generation=page.last_generation, closed=False)
    manifest.save()
    again = open_log(storage)
    again.append([LogEntry(RecordKind.OBSERVE, again.last_generation + 1, batch_of(["z"]))])
    assert len(again.pages) == 2


def test_damage_of_a_kept_row_stops_a_compaction(storage: MemoryStorage) -> None:
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log)
    names = segment_names(storage)
    record = log.pages[0].records[2]
    content = storage._files[record.segment.name]
    content[record.payload_offset] ^= 1
    with pytest.raises(CorruptData):
        compact(log, storage, lambda record: np.arange(record.count))
    assert segment_names(storage) == names
    assert [page.segment.name for page in log.pages] == names


class _Watched(Faults):
    """Calls back before every operation."""

    def __init__(self, watch: Callable[[], None]) -> None:
        super().__init__()
        self.watch = watch

    def take(self, operation: str) -> Fault | None:
        self.watch()
        return super().take(operation)


@pytest.mark.parametrize("is_power_cut", [False, True], ids=["killed", "power cut"])
def test_a_crash_at_any_step_loses_nothing_that_is_kept(is_power_cut: bool) -> None:
    found: list[FaultyStorage] = []
    is_watching = False

    def watch() -> None:
        if is_watching:
            found.append(disk.after_power_loss(Random(len(found))) if is_power_cut else deepcopy(disk.after_kill()))

    disk = FaultyStorage(_Watched(watch), whole_blocks=True)
    log = open_log(disk, segment_bytes=_SEGMENT_BYTES)
    write(log)
    before = rows_of(log)
    survivors = newest_only(log)
    is_watching = True
    page = compact(log, disk, survivors)
    watch()
    is_watching = False
    after = rows_of(log)
    counts = set()
    for crashed in found:
        recovered = open_log(crashed)
        counts.add(len(recovered.pages))
        assert rows_of(recovered) in (before, after)
        assert recovered.last_generation == log.last_generation
        listed = {entry.name for entry in recovered.manifest.segments}
        assert set(segment_names(crashed)) == listed, "what the compaction left is removed"
        recovered.append([LogEntry(RecordKind.OBSERVE, recovered.last_generation + 1, batch_of(["z"]))])
        recovered.sync()
        recovered.close()
        assert rows_of(open_log(crashed))[-1][1] == "z"
    assert len(found) >= 4
    assert len(counts) == 2, "some found the old segments, and some the new one"
    assert page.segment.name in segment_names(disk)


@pytest.mark.parametrize("operation", ["create", "write", "sync", "replace"])
def test_a_failure_at_any_step_changes_nothing_and_can_be_tried_again(operation: str) -> None:
    storage = FaultyStorage()
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log)
    before, names = rows_of(log), segment_names(storage)
    storage.faults.pending = [Fault(operation, errno.ENOSPC, SECTOR_BYTES)]
    with pytest.raises(Unavailable) as refused:
        compact(log, storage, newest_only(log))
    assert refused.value.code == "disk_full"
    assert rows_of(log) == before
    assert segment_names(storage) == names
    write(log, 3)
    compact(log, storage, newest_only(log))
    log.close()
    assert len(rows_of(open_log(storage))) < len(before)


class _Noting(MemoryStorage):
    """Notes in which order files are replaced and removed, and fails to replace any while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []
        self.fails = False

    def remove(self, name: str) -> None:
        self.calls.append(("remove", name))
        super().remove(name)

    def replace(self, name: str, data: bytes) -> None:
        if self.fails:
            raise OSError(errno.EIO, "no")
        self.calls.append(("replace", name))
        super().replace(name, data)


def test_what_was_replaced_goes_when_the_list_without_it_is_durable() -> None:
    """What an opening reads may be in the memory of the kernel only, and an older list be all that is durable."""
    storage = _Noting()
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log)
    pages = log.pages[:-1]
    compaction = SegmentCompaction(log, storage, lambda nbytes: None)
    compaction.compact(pages, Horizon(pages[-1].last_generation, 5), every_fourth)
    log.close()
    storage.calls.clear()
    open_log(storage)
    assert storage.calls == [("replace", FILE_NAME), *(("remove", page.segment.name) for page in pages)]


def test_what_an_attempt_has_left_goes_when_the_list_on_the_disk_is_known() -> None:
    storage = _Noting()
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log)
    left = segment_name(log.pages[-2].segment.epoch, 1)
    storage.fails = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            compact(log, storage, every_fourth)
        assert left in segment_names(storage), "the list on the disk may have it"
    storage.fails = False
    storage.calls.clear()
    page = compact(log, storage, every_fourth)
    assert page.segment.name == left
    assert storage.calls[:2] == [("replace", FILE_NAME), ("remove", left)]


def tear(storage: Storage, log: Log) -> None:
    """Add a segment that has only what a crash has left of a write: the first sector of the record is missing."""
    epoch, nbytes, salt = 1 + max((page.segment.epoch for page in log.pages), default=0), 8 << 10, new_salt()
    header = SegmentHeader(salt, epoch, nbytes, log.manifest.identity)
    file = storage.create(segment_name(epoch), nbytes, header.pack())
    log.manifest.add_segment(SegmentEntry(epoch, nbytes, 2, salt))
    file.write(2 * SECTOR_BYTES, [b"a secret".ljust(SECTOR_BYTES, b"\0")])


@pytest.mark.parametrize("rounds", [0, _ROUNDS])
def test_a_segment_that_has_only_the_remains_of_a_crash_can_be_replaced(storage: MemoryStorage, rounds: int) -> None:
    log = open_log(storage, segment_bytes=_SEGMENT_BYTES)
    write(log, rounds)
    last, rows = log.last_generation, rows_of(log)
    tear(storage, log)
    torn = open_log(storage)
    assert (torn.present, len(torn.pages[-1].records), torn.pages[-1].segment.has_remains) == (None, 0, True)
    torn.append([LogEntry(RecordKind.OBSERVE, last + 1, batch_of(["z"]))])
    torn.sync()
    page = compact(torn, storage, lambda record: np.arange(record.count), slice(-2, -1))
    assert not page.segment.has_remains
    assert not any(b"a secret" in content.tobytes() for content in storage._files.values())
    torn.close()
    again = open_log(storage)
    assert again.last_generation == last + 1
    assert rows_of(again)[:-1] == rows
    for generation in range(max(last, 1), last + 2):
        record, row = again.locate(generation)
        assert record.generation(row) == generation

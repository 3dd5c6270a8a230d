"""The log: appending, reading back, reopening, and what it does when the disk fails."""

from __future__ import annotations

import errno
from pathlib import Path
from random import Random

import numpy as np
import pytest

from engram.errors import EngramError, FailedPrecondition, Unavailable
from engram.log.files.file_storage import FileStorage
from engram.log.files.memory_storage import MemoryStorage
from engram.log.files.storage import Storage
from engram.log.log import Log
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.model.observations import make_batch
from tests.doubles.batches import batch_of, content_of, vector_of
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.logs import open_log, segment_names

SEGMENT = 8192


@pytest.fixture(params=["file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return FileStorage(tmp_path / "log") if request.param == "file" else MemoryStorage()


def observe(log: Log, *ids: str, session: str = "", first_sequence: int = 0) -> Record:
    entry = LogEntry(RecordKind.OBSERVE, log.last_generation + 1, batch_of(ids), (), session, first_sequence)
    return log.append([entry])[0]


def opened(storage: Storage, **options: int) -> Log:
    return open_log(storage, segment_bytes=SEGMENT, **options)


def stored_ids(log: Log) -> list[str]:
    return [id for record in log.records() for id in record.ids()]


@pytest.fixture
def faulty() -> FaultyStorage:
    return FaultyStorage()


def test_an_empty_log(storage: Storage) -> None:
    log = opened(storage)
    assert (log.last_generation, log.synced_generation, log.nbytes, list(log.records())) == (0, 0, 0, [])
    log.sync()
    with pytest.raises(LookupError):
        log.locate(1)
    log.close()
    assert segment_names(storage) == []


def test_what_was_appended_is_there_after_reopening(storage: Storage) -> None:
    log = opened(storage)
    observe(log, "a", "b", session="s", first_sequence=4)
    log.append([LogEntry(RecordKind.DELETE, 3, ids=["a"])])
    log.sync()
    assert log.synced_generation == 3
    nbytes = log.nbytes
    log.close()
    log = opened(storage)
    assert log.last_generation == log.synced_generation == 3
    assert log.nbytes == nbytes
    first, second = log.records()
    assert (first.ids(), first.session, first.first_sequence) == (["a", "b"], "s", 4)
    assert first.content(1) == content_of("b")
    np.testing.assert_array_equal(first.vector(1), vector_of("b"))
    assert (second.kind, second.ids()) == (RecordKind.DELETE, ["a"])
    assert log.locate(2) == (first, 1)
    assert log.locate(3) == (second, 0)
    observe(log, "c")
    assert stored_ids(log) == ["a", "b", "a", "c"]


@pytest.mark.parametrize("generation", [0, -1, 4, 99])
def test_unknown_generations_are_not_located(storage: Storage, generation: int) -> None:
    log = opened(storage)
    observe(log, "a", "b", "c")
    with pytest.raises(LookupError, match="goes up to 3"):
        log.locate(generation)


def test_segments_roll_and_every_generation_is_found_again(storage: Storage) -> None:
    log = opened(storage)
    for number in range(200):
        observe(log, f"id-{number}", f"other-{number}")
        log.sync()
    log.close()
    assert len(storage.names()) > 10
    log = opened(storage)
    assert log.last_generation == 400
    for number in range(200):
        record, row = log.locate(2 * number + 2)
        assert record.id(row) == f"other-{number}"
        np.testing.assert_array_equal(record.vector(row), vector_of(f"other-{number}"))


def test_many_generations_are_located_as_each_of_them(storage: Storage) -> None:
    log = opened(storage)
    for number in range(20):
        observe(log, *(f"{number}-{row}" for row in range(1 + number % 3)))
    last = log.last_generation
    for generations in ([], [last], [3, 1, 3, last, 2], range(last, 0, -1)):
        assert log.locate_all(generations) == {each: log.locate(each) for each in generations}
    for unknown in (0, last + 1):
        with pytest.raises(LookupError):
            log.locate_all([1, unknown])


def test_one_append_may_span_segments(storage: Storage) -> None:
    log = opened(storage)
    batches = [batch_of([f"{number}-{row}" for row in range(20)]) for number in range(10)]
    entries = [LogEntry(RecordKind.OBSERVE, 20 * number + 1, batch) for number, batch in enumerate(batches)]
    records = log.append(entries)
    log.sync()
    assert len(storage.names()) > 2
    assert [record.first_generation for record in records] == [entry.first_generation for entry in entries]
    log.close()
    assert stored_ids(opened(storage)) == [id for batch in batches for id in batch.ids]


def test_a_record_larger_than_a_segment_gets_its_own(storage: Storage) -> None:
    log = opened(storage)
    observe(log, "small")
    large = observe(log, *(f"row-{row}" for row in range(500)))
    observe(log, "after")
    log.sync()
    log.close()
    log = opened(storage)
    assert log.locate(300)[0].count == large.count == 500
    assert stored_ids(log)[-1] == "after"


def test_vectors_are_aligned_and_read_only(storage: Storage) -> None:
    log = opened(storage)
    for number in range(5):
        vectors = observe(log, *(f"{number}-{row}" for row in range(number + 1))).raw_vectors
        assert vectors.ctypes.data % 64 == 0
        assert not vectors.flags.writeable


def test_records_stay_readable_after_close(storage: Storage) -> None:
    log = opened(storage)
    record = observe(log, "a")
    log.close()
    log.close()
    assert record.content(0) == content_of("a")
    with pytest.raises(FailedPrecondition):
        observe(log, "b")


def test_small_logs_reserve_little(tmp_path: Path) -> None:
    log = open_log(FileStorage(tmp_path))
    observe(log, "a")
    log.close()
    assert sum(path.stat().st_size for path in tmp_path.glob("*.log")) == 16 << 10


def test_the_next_large_segment_is_prepared_ahead_and_reused(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    log = open_log(storage, segment_bytes=16 << 20)
    batch = batch_of([f"row-{row}" for row in range(2000)])

    def fill(until: int) -> None:
        while len([record for record in log.records() if record.count]) < until:
            log.append([LogEntry(RecordKind.OBSERVE, log.last_generation + 1, batch)])
            log.sync()

    fill(100)
    log.close()
    names = storage.names()
    log = open_log(storage, segment_bytes=16 << 20)
    assert log.last_generation == 200_000
    fill(160)
    log.close()
    assert set(names) < set(storage.names())
    log = open_log(storage)
    assert log.last_generation == 320_000
    assert {record.id(1999) for record in log.records()} == {"row-1999"}
    log.close()


@pytest.mark.parametrize("entries", [[], [LogEntry(RecordKind.DELETE, 2, ids=["a"])], [LogEntry(RecordKind.DELETE, 1)]])
def test_gaps_and_empty_entries_are_bugs_of_the_caller(storage: Storage, entries: list[LogEntry]) -> None:
    with pytest.raises(ValueError, match=r"generation|nothing"):
        opened(storage).append(entries)


# ---- failing disks ---------------------------------------------------------------------------------------------


FULL_DISK_PLACES = [("create", 0), *(("write", bytes_before) for bytes_before in (0, 1, 100, 700, 5000))]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize(("operation", "bytes_before"), FULL_DISK_PLACES)
def test_a_full_disk_stores_nothing_and_the_log_goes_on(
    faulty: FaultyStorage, operation: str, bytes_before: int, code: int
) -> None:
    log = opened(faulty)
    observe(log, "before")
    log.sync()
    entries = [
        LogEntry(RecordKind.OBSERVE, 2 + 20 * number, batch_of([f"refused {row}" for row in range(20)]))
        for number in range(4)
    ]
    faulty.faults.pending.append(Fault(operation, code, bytes_before))
    with pytest.raises(Unavailable) as refusal:
        log.append(entries)
    assert refusal.value.code == "disk_full"
    # Whatever happens now, what was refused never shows up.
    assert stored_ids(opened(faulty.after_kill())) == ["before"]
    assert stored_ids(opened(faulty.after_power_loss(Random(1)))) == ["before"]
    assert log.last_generation == 1
    observe(log, "after")
    log.sync()
    assert stored_ids(log) == ["before", "after"]
    assert stored_ids(opened(faulty.after_power_loss(Random(2)))) == ["before", "after"]


def test_an_undo_that_fails_ends_writing(faulty: FaultyStorage) -> None:
    log = opened(faulty)
    observe(log, "before")
    log.sync()
    faulty.faults.pending += [Fault("write", errno.ENOSPC, bytes_before=600), Fault("write", errno.ENOSPC)]
    for _ in range(2):
        with pytest.raises(Unavailable) as refusal:
            observe(log, "lost")
        assert refusal.value.code == "log_failed"
    assert stored_ids(opened(faulty.after_kill())) == ["before"]


def test_a_disk_turned_read_only(faulty: FaultyStorage) -> None:
    log = opened(faulty)
    observe(log, "before")
    log.sync()
    faulty.faults.pending.append(Fault("write", errno.EROFS, times=3))
    for _ in range(2):
        with pytest.raises(Unavailable) as refusal:
            observe(log, "lost")
        assert refusal.value.code == "read_only"


def test_a_failed_sync_ends_writing(faulty: FaultyStorage) -> None:
    log = opened(faulty)
    observe(log, "durable")
    log.sync()
    observe(log, "unknown")
    faulty.faults.pending.append(Fault("sync", errno.EIO))
    with pytest.raises(Unavailable) as failure:
        log.sync()
    assert failure.value.code == "log_failed"
    assert log.synced_generation == 1
    for write in (log.sync, lambda: observe(log, "more")):
        with pytest.raises(Unavailable, match="takes no more writes"):
            write()
    # Nothing reached the disk: no later call may have synced again and claimed success.
    assert stored_ids(opened(faulty.after_kill()))[0] == "durable"
    assert faulty.faults.calls.count("sync") == 2


def test_a_failed_sync_between_segments_ends_writing(faulty: FaultyStorage) -> None:
    log = opened(faulty)
    observe(log, "durable")
    log.sync()
    faulty.faults.pending.append(Fault("sync", errno.EIO))
    with pytest.raises(Unavailable) as failure:
        observe(log, *(f"row-{row}" for row in range(500)))
    assert failure.value.code == "log_failed"
    with pytest.raises(Unavailable):
        observe(log, "more")


def test_a_failing_disk_ends_writing(faulty: FaultyStorage) -> None:
    log = opened(faulty)
    faulty.faults.pending.append(Fault("write", errno.EIO, bytes_before=10))
    for _ in range(2):
        with pytest.raises(Unavailable) as failure:
            observe(log, "lost")
        assert failure.value.code == "log_failed"


SHORTAGES = [
    (errno.EMFILE, "too_many_files"),
    (errno.ENFILE, "too_many_files"),
    (errno.ENOMEM, "no_memory"),
    (errno.EIO, "open_failed"),
]


@pytest.mark.parametrize(("code", "expected"), SHORTAGES)
@pytest.mark.parametrize("operation", ["create", "reopen"])
def test_a_file_that_cannot_be_opened_for_now_ends_nothing(
    faulty: FaultyStorage, operation: str, code: int, expected: str
) -> None:
    log = opened(faulty)
    observe(log, "before")
    log.sync()
    # As many rows need a segment of their own.
    refused = [f"refused {row}" for row in range(200)]
    faulty.faults.pending.append(Fault(operation, code, times=2))
    for _ in range(2):
        with pytest.raises(Unavailable) as refusal:
            observe(log, *refused)
        assert (refusal.value.code, refusal.value.is_transient) == (expected, True)
    assert stored_ids(opened(faulty.after_kill())) == ["before"]
    observe(log, *refused)
    observe(log, "after")
    log.sync()
    assert stored_ids(log) == ["before", *refused, "after"]
    assert stored_ids(opened(faulty.after_power_loss(Random(2)))) == ["before", *refused, "after"]


@pytest.mark.parametrize(("code", "expected"), [(errno.EACCES, "read_only"), (errno.EROFS, "read_only")])
def test_a_log_that_cannot_be_opened(faulty: FaultyStorage, code: int, expected: str) -> None:
    log = opened(faulty)
    observe(log, "a")
    log.close()
    faulty.faults.pending.append(Fault("open", code))
    with pytest.raises(EngramError) as failure:
        opened(faulty)
    assert failure.value.code == expected


def test_generations_are_found_by_the_time_of_their_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    # A clock that ran ahead and comes back: what was committed meanwhile counts as no later than what followed.
    clock = iter([100, 200, 150])
    monkeypatch.setattr("engram.log.log.now_us", lambda: next(clock))
    storage = MemoryStorage()
    log = open_log(storage)
    for ids in (["a", "b"], ["c"], ["d"]):
        observe(log, *ids)
    log.sync()
    log.close()
    for opened in (log, open_log(storage)):
        assert [record.committed_us for record in opened.records()] == [100, 200, 150]
        found = [opened.generation_at(time_us) for time_us in (99, 100, 149, 150, 10**18)]
        assert found == [0, 2, 2, 4, 4]
        kept = [opened.generation_surely_before(time_us) for time_us in (99, 100, 199, 200, 10**18)]
        assert kept == [0, 2, 2, 4, 4]


def test_records_from_a_generation_on() -> None:
    log = open_log(MemoryStorage())
    for ids in (["a", "b"], ["c"], ["d", "e"]):
        observe(log, *ids)
    assert [[r.first_generation for r in log.records_from(g)] for g in (1, 2, 3, 5, 6)] == [
        [1, 3, 4],
        [1, 3, 4],
        [3, 4],
        [4],
        [],
    ]


def test_columns_of_metadata_tags_and_texts_are_read_at_once() -> None:
    log = open_log(MemoryStorage())
    (record,) = log.append([LogEntry(RecordKind.OBSERVE, 1, batch_of(["a", "b"]))])
    assert record.metadata_column() == [record.metadata(row) for row in range(2)]
    assert record.tags_column() == [record.tags(row) for row in range(2)]
    assert record.contents() == [record.content(row) for row in range(2)]
    plain = make_batch(["a", "b"], batch_of(["a", "b"]).vectors, tags=[[], ["x"]])
    (record,) = log.append([LogEntry(RecordKind.OBSERVE, 3, plain)])
    assert record.metadata_column() is None
    assert record.tags_column() == [None, ["x"]]

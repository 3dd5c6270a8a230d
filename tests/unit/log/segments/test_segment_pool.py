"""The pool of blank segments: rising numbers, nothing lost, nothing left behind."""

from __future__ import annotations

import errno
import itertools

import pytest

from engram.errors import Unavailable
from engram.log.damage import Damages
from engram.log.files.memory_storage import MemoryFile, MemoryStorage
from engram.log.files.storage import Storage
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.segments.segment_pool import SegmentPool
from tests.doubles.batches import batch_of
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.logs import manifest_of, open_log, segment_names

PREPARED = 16 << 20
SIZE = 8192


def pool_in(storage: Storage, last_epoch: int = 0) -> SegmentPool:
    return SegmentPool(storage, manifest_of(storage), Damages(), last_epoch, [])


def test_numbers_rise() -> None:
    storage = MemoryStorage()
    pool = pool_in(storage, 7)
    assert [pool.take(1, SIZE).epoch for _ in range(3)] == [8, 9, 10]
    assert segment_names(storage) == ["000000000008.log", "000000000009.log", "000000000010.log"]


def test_what_was_given_back_comes_first_and_in_order() -> None:
    pool = pool_in(MemoryStorage())
    taken = [pool.take(1, SIZE) for _ in range(3)]
    pool.give_back(taken[1:])
    assert [pool.take(1, SIZE).epoch for _ in range(3)] == [2, 3, 4]


def test_blank_segments_that_are_too_small_go_for_good() -> None:
    storage = MemoryStorage()
    pool = pool_in(storage)
    pool.give_back([pool.take(1, SIZE), pool.take(1, SIZE)])
    large = pool.take(9000, SIZE)
    assert (large.epoch, len(large.view)) == (3, 16384)
    assert segment_names(storage) == ["000000000003.log"]


def test_a_prepared_segment_is_taken_and_only_one_is_prepared() -> None:
    storage = MemoryStorage()
    pool = pool_in(storage)
    pool.prepare(PREPARED)
    pool.prepare(PREPARED)
    segment = pool.take(1, SIZE)
    assert (segment.epoch, len(segment.view)) == (1, PREPARED)
    assert segment.nonzero_from(segment.begin) == -1
    assert segment_names(storage) == [segment.name]


def test_closing_waits_for_the_preparation() -> None:
    storage = MemoryStorage()
    pool = pool_in(storage)
    pool.prepare(PREPARED)
    pool.close(discarding=False)
    assert segment_names(storage) == ["000000000001.log"]


def test_closing_removes_what_was_prepared() -> None:
    storage = MemoryStorage()
    pool = pool_in(storage)
    pool.prepare(PREPARED)
    pool.close(discarding=True)
    assert segment_names(storage) == []


def test_a_preparation_that_fails_leaves_the_error_to_who_needs_the_segment() -> None:
    storage = FaultyStorage()
    pool = pool_in(storage)
    storage.faults.pending.append(Fault("create", errno.ENOSPC, times=2))
    pool.prepare(PREPARED)
    with pytest.raises(OSError, match="No space"):
        pool.take(1, SIZE)
    assert pool.take(1, SIZE).epoch == 3
    pool.close(discarding=False)


def test_small_segments_are_not_worth_a_thread() -> None:
    storage = MemoryStorage()
    pool_in(storage).prepare(PREPARED - 1)
    assert segment_names(storage) == []


def test_failing_again_and_again_on_a_full_disk_leaves_no_files_behind() -> None:
    storage = FaultyStorage()
    log = open_log(storage, segment_bytes=4096)
    large = batch_of([f"row-{row}" for row in range(20)])
    entries = [LogEntry(RecordKind.OBSERVE, 1 + 20 * number, large) for number in range(3)]
    for _ in range(20):
        storage.faults.pending.append(Fault("write", errno.ENOSPC, bytes_before=500))
        with pytest.raises(Unavailable):
            log.append(entries)
    log.append(entries)
    assert len(segment_names(storage)) <= len(entries)


def test_a_segment_is_listed_before_it_is_handed_out_and_forgotten_before_its_file_goes() -> None:
    storage = FaultyStorage()
    pool = pool_in(storage)
    taken = pool.take(1, SIZE)
    assert [entry.epoch for entry in manifest_of(storage).segments] == [taken.epoch]
    pool.give_back([taken])
    storage.faults.pending.append(Fault("replace", errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        pool.take(20_000, SIZE)
    # The file is still there, since the manifest still lists it.
    assert segment_names(storage) == [taken.name]


def test_a_segment_that_cannot_be_listed_leaves_no_file() -> None:
    storage = FaultyStorage()
    pool = pool_in(storage)
    storage.faults.pending.append(Fault("replace", errno.ENOSPC))
    with pytest.raises(OSError, match="No space"):
        pool.take(1, SIZE)
    assert segment_names(storage) == []
    assert manifest_of(storage).segments == ()


@pytest.mark.parametrize("is_listed", [False, True])
def test_a_file_that_may_be_listed_on_the_disk_stays(monkeypatch: pytest.MonkeyPatch, is_listed: bool) -> None:
    """Where the new list is in its place and only that could not be made durable, nobody knows which one is there."""
    storage = FaultyStorage()
    pool = pool_in(storage)
    replace = storage.replace
    calls = itertools.count(1)

    def unsure(name: str, data: bytes) -> None:
        call = next(calls)
        if call == 1 or not is_listed:
            replace(name, data)
        if call == 1 or is_listed:
            raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(pool._manifest.storage, "replace", unsure)
    with pytest.raises(OSError, match="Too many"):
        pool.take(1, SIZE)
    assert [entry.epoch for entry in manifest_of(storage).segments] == [1] * is_listed
    assert segment_names(storage) == ["000000000001.log"] * is_listed


@pytest.mark.parametrize("failure", [MemoryError(), ValueError("the file is closed")])
def test_a_placement_that_fails_for_whatever_reason_gives_its_segments_back(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: MemoryFile) -> None:
        raise failure

    storage = MemoryStorage()
    log = open_log(storage, segment_bytes=SIZE)
    entries = [LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"]))]
    with monkeypatch.context() as patch:
        patch.setattr(MemoryFile, "open_for_writing", refuse)
        with pytest.raises(type(failure)):
            log.append(entries)
    log.append(entries)
    assert segment_names(storage) == ["000000000001.log"]
    log.close()

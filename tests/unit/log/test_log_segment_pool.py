"""The pool of blank segments: rising numbers, nothing lost, nothing left behind."""

from __future__ import annotations

import errno

import pytest

from doubles.batches import DIM, batch_of
from doubles.faulty_storage import Fault, FaultyStorage
from engram.errors import Unavailable
from engram.log.entry import LogEntry
from engram.log.header import RecordKind
from engram.log.log import Log
from engram.log.memory_storage import MemoryStorage
from engram.log.segment_pool import SegmentPool

PREPARED = 16 << 20


def test_numbers_rise() -> None:
    storage = MemoryStorage()
    pool = SegmentPool(storage, 7, [])
    assert [pool.take(1, 100).epoch for _ in range(3)] == [8, 9, 10]
    assert storage.names() == ["000000000008.log", "000000000009.log", "000000000010.log"]


def test_what_was_given_back_comes_first_and_in_order() -> None:
    pool = SegmentPool(MemoryStorage(), 0, [])
    taken = [pool.take(1, 100) for _ in range(3)]
    pool.give_back(taken[1:])
    assert [pool.take(1, 100).epoch for _ in range(3)] == [2, 3, 4]


def test_blank_segments_that_are_too_small_go_for_good() -> None:
    storage = MemoryStorage()
    pool = SegmentPool(storage, 0, [])
    pool.give_back([pool.take(1, 100), pool.take(1, 100)])
    large = pool.take(5000, 100)
    assert (large.epoch, len(large.view)) == (3, 8192)
    assert storage.names() == ["000000000003.log"]


def test_a_prepared_segment_is_taken_and_only_one_is_prepared() -> None:
    storage = MemoryStorage()
    pool = SegmentPool(storage, 0, [])
    pool.prepare(PREPARED)
    pool.prepare(PREPARED)
    segment = pool.take(1, 100)
    assert (segment.epoch, len(segment.view)) == (1, PREPARED)
    assert segment.is_blank()
    assert storage.names() == [segment.name]


def test_closing_waits_for_the_preparation() -> None:
    storage = MemoryStorage()
    pool = SegmentPool(storage, 0, [])
    pool.prepare(PREPARED)
    pool.close()
    assert storage.names() == ["000000000001.log"]


def test_a_preparation_that_fails_leaves_the_error_to_who_needs_the_segment() -> None:
    storage = FaultyStorage()
    pool = SegmentPool(storage, 0, [])
    storage.faults.pending.append(Fault("create", errno.ENOSPC, times=2))
    pool.prepare(PREPARED)
    with pytest.raises(OSError, match="No space"):
        pool.take(1, 100)
    assert pool.take(1, 100).epoch == 3
    pool.close()


def test_small_segments_are_not_worth_a_thread() -> None:
    storage = MemoryStorage()
    SegmentPool(storage, 0, []).prepare(PREPARED - 1)
    assert storage.names() == []


def test_failing_again_and_again_on_a_full_disk_leaves_no_files_behind() -> None:
    storage = FaultyStorage()
    log = Log.open(storage, DIM, segment_bytes=4096)
    large = batch_of([f"row-{row}" for row in range(20)])
    entries = [LogEntry(RecordKind.OBSERVE, 1 + 20 * number, large) for number in range(3)]
    for _ in range(20):
        storage.faults.pending.append(Fault("write", errno.ENOSPC, bytes_before=500))
        with pytest.raises(Unavailable):
            log.append(entries)
    log.append(entries)
    assert len(storage.names()) <= len(entries)

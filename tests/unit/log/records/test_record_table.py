"""The records of a log by generation: what was erased is told from what never was."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.errors import Unavailable
from engram.log.compaction import SegmentCompaction
from engram.log.files.memory_storage import MemoryStorage
from engram.log.files.storage import Storage
from engram.log.log import Log
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.log.records.record_table import RecordPage
from tests.doubles.batches import batch_of
from tests.doubles.logs import open_log


def written(storage: Storage) -> Log:
    """A log of several segments, each of which has several records."""
    log = open_log(storage, segment_bytes=8 << 10)
    for number in range(30):
        batch = batch_of(["a", "b", "c"], version=number)
        log.append([LogEntry(RecordKind.OBSERVE, log.last_generation + 1, batch)])
        log.sync()
    assert len(log.pages) > 4
    return log


def erase(log: Log, storage: Storage, page: RecordPage, generations: list[int]) -> None:
    """Rewrite a segment without these rows, as an erasure does."""

    def survivors(record: Record) -> NDArray[np.int64]:
        return np.flatnonzero(~np.isin(record.generations, generations))

    compaction = SegmentCompaction(log, storage, lambda nbytes: None, joins=False)
    compaction.compact([page], log.horizon, survivors)
    compaction.remove([page])


def check_located(log: Log, covered: list[int], erased: list[int]) -> None:
    for generation in covered:
        if generation in erased:
            with pytest.raises(Unavailable) as refused:
                log.locate(generation)
            assert refused.value.code == "erased"
        else:
            record, row = log.locate(generation)
            assert record.generation(row) == generation
    for never in (0, log.last_generation + 1):
        with pytest.raises(LookupError):
            log.locate(never)


@pytest.mark.parametrize("segment", [0, 1])
@pytest.mark.parametrize(
    "rows",
    [slice(0, 1), slice(0, 3), slice(4, 5), slice(-1, None), slice(None)],
    ids=["the first row", "the first record", "a row in the middle", "the last row", "all"],
)
def test_what_was_erased_is_told_from_what_never_was(segment: int, rows: slice) -> None:
    storage = MemoryStorage()
    log = written(storage)
    page = log.pages[segment]
    covered = list(range(page.first_generation, page.last_generation + 1))
    erase(log, storage, page, covered[rows])
    check_located(log, covered, covered[rows])
    log.close()
    check_located(open_log(storage), covered, covered[rows])


def test_many_are_located_together_and_none_takes_the_place_of_one_that_is_gone() -> None:
    storage = MemoryStorage()
    log = written(storage)
    page = log.pages[0]
    record = page.records[0]
    gone = int(record.generations[1])
    erase(log, storage, page, [gone])
    left = np.array([generation for generation in record.generations.tolist() if generation != gone])
    found, rows = log.locate_run(left)
    assert [found.generation(row) for row in rows.tolist()] == left.tolist()
    with pytest.raises(Unavailable) as refused:
        log.locate_run(record.generations)
    assert refused.value.code == "erased"


def test_the_rows_of_a_page_are_counted_while_it_grows() -> None:
    log = open_log(MemoryStorage())
    counts = []
    for number in range(3):
        batch = batch_of(["a", "b", "c"], version=number)
        log.append([LogEntry(RecordKind.OBSERVE, log.last_generation + 1, batch)])
        log.append([LogEntry(RecordKind.DELETE, log.last_generation + 1, ids=["a"])])
        log.sync()
        counts.append(log.pages[0].counts)
    assert counts == [(3, 1), (6, 2), (9, 3)]

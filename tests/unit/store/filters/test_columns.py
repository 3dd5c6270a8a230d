"""The columns of numbers: what memory they count, and where what is left begins."""

from __future__ import annotations

import time

import numpy as np
import pytest

from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.model.observations import make_batch
from engram.store.filters import columns, plans
from engram.store.filters.columns import Columns
from engram.store.filters.metadata_index import MetadataIndex
from engram.store.filters.selection import passing
from tests.doubles.batches import DIM

ROW_BYTES = 24


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (columns, plans):
        monkeypatch.setattr(module, "CHUNK_BITS", 3)
    monkeypatch.setattr(columns, "CHUNK_ROWS", 1 << 3)


def entry(first: int, count: int) -> LogEntry:
    batch = make_batch([f"id-{row}" for row in range(count)], np.ones((count, DIM), np.float32))
    return LogEntry(RecordKind.OBSERVE, first, batch)


def test_only_what_was_written_to_is_counted() -> None:
    made = Columns()
    assert (made.nbytes, made.first_generation) == (0, 0)
    made.add(entry(1, 1))
    # Nothing has the generation 0, whose row lies before.
    assert made.nbytes == 2 * ROW_BYTES
    made.add(entry(2, 4))
    assert made.nbytes == 6 * ROW_BYTES
    made.add(entry(6, 4))
    assert made.nbytes == (8 + 2) * ROW_BYTES


def test_what_is_alive_is_told_in_the_order_of_the_question() -> None:
    made = Columns()
    made.add(entry(1, 20))
    made.end(np.array([17, 3]), np.array([22, 21]))
    asked = np.array([17, 2, 9, 3, 25, 2])
    assert made.alive(asked, 21).tolist() == [True, True, True, False, False, True]
    assert made.alive(asked, 22).tolist() == [False, True, True, False, False, True]
    assert made.alive(asked[:0], 22).tolist() == []


def test_pieces_are_the_rows_of_each_chunk_that_has_some() -> None:
    made = Columns()
    made.add(entry(1, 20))
    assert [(base, begin, end) for base, _, begin, end in made.pieces(6, 17)] == [(0, 6, 8), (8, 0, 8), (16, 0, 2)]
    assert list(made.pieces(9, 8)) == []
    made.end(np.array([6, 9, 17]), np.array([21, 22, 22]))
    assert made.alive_count(6, 17, 21) == 11


def test_what_is_in_many_chunks_takes_time_by_its_rows() -> None:
    far_apart = np.arange(150_000) * columns.CHUNK_ROWS
    begin_s = time.thread_time()
    assert not Columns().alive(far_apart, 1).any()
    Columns().end(far_apart, far_apart)
    assert time.thread_time() - begin_s < 3


def test_what_is_dropped_is_counted_no_more_and_the_rest_begins_behind_it() -> None:
    attributes = MetadataIndex()
    made = attributes.columns
    attributes.add(entry(1, 20))
    whole = made.nbytes
    made.end(np.arange(1, 15), np.full(14, 20))
    assert (made.nbytes, made.first_generation) == (whole, 0)
    made.drop(20)
    # Of the second chunk, only the last row is left, with its offset; nothing is of the first one.
    assert made.nbytes == ROW_BYTES + 4 + 5 * ROW_BYTES
    assert made.first_generation == 8
    found = passing(attributes, None, 1, 20, alive_at=20)
    assert (found.window.first, found.generations.tolist()) == (8, [15, 16, 17, 18, 19, 20])
    assert found.bitmap().begin == 0
    assert passing(attributes, None, 1, 7).generations.tolist() == []


def ended(made: Columns, first: int, last: int) -> list[tuple[int, int]]:
    versions, at = made.ended_within(first, last)
    return list(zip(versions.tolist(), at.tolist(), strict=True))


def test_what_ended_is_told_by_when_it_ended() -> None:
    made = Columns()
    assert ended(made, 1, 100) == []
    made.add(entry(1, 20))
    assert ended(made, 1, 100) == []
    made.end(np.array([17, 3, 9]), np.array([22, 21, 25]))
    assert ended(made, 1, 100) == [(3, 21), (17, 22), (9, 25)]
    assert ended(made, 22, 24) == [(17, 22)]
    assert ended(made, 1, 20) == ended(made, 23, 24) == ended(made, 26, 100) == []
    # What is erased has never been.
    made.end(np.array([17]), np.array([0]))
    assert ended(made, 1, 100) == [(3, 21), (9, 25)]


def test_what_ended_is_told_of_chunks_with_few_rows_left() -> None:
    made = Columns()
    made.add(entry(1, 20))
    made.end(np.array([2, 5, 9, 14]), np.array([21, 23, 22, 24]))
    made.drop(22)
    assert ended(made, 23, 24) == [(5, 23), (14, 24)]
    made.end(np.array([3, 12]), np.array([25, 26]))
    assert ended(made, 24, 25) == [(14, 24), (3, 25)]

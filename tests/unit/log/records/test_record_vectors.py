"""Records in which some rows have no vector, or no text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.log.files.memory_storage import MemoryStorage
from engram.log.records.entry import LogEntry
from engram.log.records.header import Column, RecordKind
from engram.log.records.record import Record
from engram.log.records.record_rows import RecordRows
from engram.model.observations import make_batch
from tests.doubles.batches import DIM, batch_of, vector_of
from tests.doubles.logs import open_log

NAMES = ["a", "b", "c", "d"]


def record_of(vectors: list[bool], texts: list[bool], dim: int = DIM) -> Record:
    batch = make_batch(
        NAMES,
        [vector_of(id) if has else None for id, has in zip(NAMES, vectors, strict=True)],
        [f"text {id}" if has else None for id, has in zip(NAMES, texts, strict=True)],
    )
    log = open_log(MemoryStorage(), dim)
    (record,) = log.append([LogEntry(RecordKind.OBSERVE, 1, batch)])
    return record


def columns_of(record: Record) -> set[int]:
    return {number for number, _ in record._header().columns}


@pytest.mark.parametrize("vectors", [[True, False, True, False], [False] * 4, [False, False, False, True], [True] * 4])
def test_vectors_are_those_of_the_rows_that_have_one(vectors: list[bool]) -> None:
    record = record_of(vectors, [True] * 4, DIM if any(vectors) else 0)
    having = [id for id, has in zip(NAMES, vectors, strict=True) if has]
    assert (record.count, record.vector_count, record.lacks_vectors) == (4, len(having), not all(vectors))
    assert (Column.VECTOR_PRESENCE in columns_of(record)) == (not all(vectors))
    assert (Column.VECTORS in columns_of(record)) == any(vectors)
    assert Column.TEXT_PRESENCE not in columns_of(record)
    for row, (id, has) in enumerate(zip(NAMES, vectors, strict=True)):
        vector = record.vector(row)
        assert record.has_vector(row) == has
        assert (vector is not None) == has
        assert vector is None or vector.tolist() == vector_of(id).tolist()
        if has:
            stored = np.frombuffer(record.segment.memory, np.float32, DIM, record.vector_offset(row))
            assert stored.tolist() == vector_of(id).tolist()
    assert record.vectors(np.arange(4)).tolist() == [vector_of(id).tolist() for id in having]
    assert len(record.vector_sums()) == len(having)
    assert record.contents() == [f"text {id}" for id in NAMES]
    record.check()


@pytest.mark.parametrize("texts", [[True, False, True, False], [False] * 4])
def test_no_text_is_not_an_empty_text(texts: list[bool]) -> None:
    record = record_of([True] * 4, texts)
    assert Column.VECTOR_PRESENCE not in columns_of(record)
    assert [record.has_text(row) for row in range(4)] == texts
    assert [record.row(row).has_content for row in range(4)] == texts
    assert [record.content(row) for row in range(4)] == [
        f"text {id}" if has else "" for id, has in zip(NAMES, texts, strict=True)
    ]


def test_a_record_in_which_nothing_lacks_has_the_columns_of_before() -> None:
    log = open_log(MemoryStorage())
    (record,) = log.append([LogEntry(RecordKind.OBSERVE, 1, batch_of(NAMES))])
    assert columns_of(record) <= set(range(Column.VECTORS, Column.GENERATIONS))
    assert (record.vector_presence(), record.text_presence()) == (None, None)
    assert record.row(0).has_content


def test_blocks_for_the_index_have_gaps_in_the_place_of_rows_without_a_vector() -> None:
    record = record_of([False, True, False, True], [True] * 4)
    block = record.vector_block()
    assert block is not None
    assert block.generations is not None
    assert (block.first_generation, block.generations.tolist()) == (2, [2, 4])
    later = record.vector_block(2)
    assert later is not None
    assert later.first_generation == 4
    assert later.vectors.tolist() == [vector_of("d").tolist()]
    assert record.vector_block(stop=1) is None
    assert record.vector_block(2, 3) is None


def test_columns_tell_which_rows_have_what() -> None:
    columns = record_of([True, False, True, True], [False, True, True, True]).columns()
    assert columns["vector_presence"].tolist() == [True, False, True, True]
    assert columns["text_presence"].tolist() == [False, True, True, True]


@pytest.mark.parametrize("texts", [[True] * 4, [True, False, True, False]], ids=["all", "some"])
@pytest.mark.parametrize("expires_at", [None, [None, 7.0, None, 9.0]], ids=["for ever", "for a while"])
def test_rows_that_are_read_together_are_those_that_are_read_alone(texts: list[bool], expires_at: Any) -> None:
    contents = [f"text {id}" if has else None for id, has in zip(NAMES, texts, strict=True)]
    batch = make_batch(NAMES, [vector_of(id) for id in NAMES], contents, expires_at=expires_at)
    (record,) = open_log(MemoryStorage()).append([LogEntry(RecordKind.OBSERVE, 1, batch)])
    rows = RecordRows(record, 1, 3)
    found = [rows.row(row) for row in range(3)]
    assert found == [record.row(row) for row in range(1, 4)]
    assert [row.has_content for row in found] == texts[1:]
    assert [row.expires_us for row in found] == ([None] * 3 if expires_at is None else [7_000_000, None, 9_000_000])

"""Hits decode lazily and behave like plain values."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from doubles.batches import batch_of, content_of, vector_of
from doubles.logs import open_log
from engram.log.entry import LogEntry
from engram.log.header import RecordKind
from engram.log.memory_storage import MemoryStorage
from engram.store.hits import Hit, stored_hit


def lazy_hit(row: int = 1) -> Hit:
    log = open_log(MemoryStorage())
    (record,) = log.append([LogEntry(RecordKind.OBSERVE, 1, batch_of(["a", "b", "c"]))])
    return stored_hit(record, row, 0.5, indexed=True, recalled_us=1_002_000_000)


def plain_hit() -> Hit:
    return Hit(
        id="b",
        score=0.5,
        confidence=0.25 + 1 / 1024,
        generation=2,
        content=content_of("b"),
        metadata={"id": "b", "version": 0},
        tags=["tag b", "ß"],
        time_us=1_001_500_000,
        importance=0.5 + 1 / 1024,
        indexed=True,
        vector=vector_of("b"),
    )


def test_a_stored_hit_has_every_column() -> None:
    assert lazy_hit() == plain_hit()
    vector = lazy_hit().vector
    assert vector is not None
    np.testing.assert_array_equal(vector, vector_of("b"))
    assert not vector.flags.writeable


def test_rows_are_not_mixed_up() -> None:
    assert [lazy_hit(row).id for row in range(3)] == ["a", "b", "c"]
    assert [lazy_hit(row).generation for row in range(3)] == [1, 2, 3]
    assert lazy_hit(2) != lazy_hit(1)


def test_a_column_is_decoded_once() -> None:
    hit = lazy_hit()
    assert hit.metadata is hit.metadata


def test_hits_can_be_shown_copied_and_pickled() -> None:
    hit = lazy_hit()
    assert "content='b äöü" in repr(hit)
    for other in (copy.copy(hit), pickle.loads(pickle.dumps(lazy_hit()))):  # noqa: S301  (our own bytes)
        assert other == plain_hit()
        np.testing.assert_array_equal(other.vector, vector_of("b"))


def test_unknown_attributes_and_writes_are_refused() -> None:
    for hit in (lazy_hit(), plain_hit()):
        with pytest.raises(AttributeError):
            hit.nonsense  # type: ignore[attr-defined]  # noqa: B018  (being refused is the point)
        with pytest.raises(AttributeError):
            hit.id = "other"  # type: ignore[misc]  # Being refused is the point.

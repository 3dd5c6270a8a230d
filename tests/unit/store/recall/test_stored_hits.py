"""Hits decode lazily and behave like plain values."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from engram.errors import CorruptData
from engram.log.files.memory_storage import MemoryStorage
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.model.hit import Hit
from engram.model.observations import make_batch
from engram.store.recall.ranked import Ranked
from engram.store.recall.stored_hits import stored_hit, stored_hits
from tests.doubles.batches import DIM, batch_of, content_of, vector_of
from tests.doubles.logs import open_log


def lazy_hit(row: int = 1) -> Hit:
    log = open_log(MemoryStorage())
    (record,) = log.append([LogEntry(RecordKind.OBSERVE, 1, batch_of(["a", "b", "c"]))])
    return stored_hit(record, row, row + 1, 0.5, indexed=True, recalled_us=1_002_000_000)


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


def test_ranked_observations_become_the_same_hits_as_one_by_one() -> None:
    log = open_log(MemoryStorage())
    log.append([LogEntry(RecordKind.OBSERVE, 1, batch_of(["a", "b", "c"]))])
    ranked = Ranked(np.array([3, 1], np.int64), np.array([0.75, 0.5], np.float32))
    hits = stored_hits(log.locate_all([1, 3]), ranked, 2, 1_002_000_000)
    expected = [
        stored_hit(*log.locate(3), 3, 0.75, indexed=False, recalled_us=1_002_000_000),
        stored_hit(*log.locate(1), 1, 0.5, indexed=True, recalled_us=1_002_000_000),
    ]
    assert hits == expected
    assert [(hit.recent, hit.strength, hit.age_s) for hit in hits] == [
        (hit.recent, hit.strength, hit.age_s) for hit in expected
    ]


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


def test_the_columns_of_a_hit_are_from_one_look() -> None:
    hit = lazy_hit()
    source, _ = hit._source or (None, 0)
    assert isinstance(source, Record)
    assert hit.content == content_of("b")
    source.segment.file.write(0, [bytes(len(source.segment.view))])
    assert (hit.id, hit.metadata, hit.tags) == ("b", {"id": "b", "version": 0}, ["tag b", "ß"])
    assert (hit.time_us, hit.row().content) == (1_001_500_000, content_of("b"))
    with pytest.raises(CorruptData):
        _ = hit.vector


def test_the_id_alone_is_read_without_the_text() -> None:
    log = open_log(MemoryStorage())
    text = "a sentence. " * 1000
    (record,) = log.append([LogEntry(RecordKind.OBSERVE, 1, make_batch(["a", "b"], np.ones((2, DIM)), ["", text]))])
    at = bytes(record.segment.view).index(text.encode()) + 6000
    record.segment.file.write(at, [b"?"])
    hit = stored_hit(record, 1, 2, 0.5, indexed=True, recalled_us=0)
    assert hit.id == "b"
    for _ in range(2):
        with pytest.raises(CorruptData):
            _ = hit.content
    assert hit.id == "b"

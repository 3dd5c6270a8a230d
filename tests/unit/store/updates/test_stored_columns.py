"""Columns read back from the log: in the order that was asked for, across records, also of a compacted log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engram.errors import FailedPrecondition
from engram.model.columns import COLUMNS
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.compaction.pace import Pace
from engram.store.updates.stored_columns import read_columns
from tests.doubles.batches import DIM, batch_of, content_of, vector_of

QUIET = StoreOptions(segment_bytes=64 << 10, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)
NAMES = [spec.name for spec in COLUMNS]
IDS = [f"id-{number}" for number in range(20)]


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    with MemoryStore(tmp_path, options=QUIET) as store:
        yield store.space("notes", dim=DIM)


def observe(space: Space, *ids: str, version: int = 0) -> None:
    engine = space._engine
    engine.submit(engine.prepare(batch_of(ids, version))).result()


def test_rows_come_in_the_order_that_was_asked_for(space: Space) -> None:
    observe(space, *IDS[:5])
    space.observe(["bare"], [vector_of("bare")])
    observe(space, *IDS[5:], version=1)
    generations = np.array([21, 2, 6, 1, 7], np.int64)
    columns, vectors, *_ = read_columns(space._engine.log, generations, NAMES, vectors=True)
    names = [("id-19", 1), ("id-1", 0), ("bare", 0), ("id-0", 0), ("id-5", 1)]
    assert set(columns) == set(NAMES)
    assert vectors is not None
    np.testing.assert_array_equal(vectors, [vector_of(*name) for name in names])
    assert columns["contents"] == ["" if id == "bare" else content_of(id, version) for id, version in names]
    assert columns["tags"] == [[] if id == "bare" else [f"tag {id}", "ß"] for id, _ in names]
    assert [text == "" for text in columns["metadata"]] == [id == "bare" for id, _ in names]
    assert [columns[name].dtype for name in ("times_us", "confidences")] == [np.int64, np.float32]
    assert columns["confidences"].tolist() == [0.25 + 14 / 1024, 0.25 + 1 / 1024, 1.0, 0.25, 0.25]


def test_only_what_is_asked_for_is_there(space: Space) -> None:
    observe(space, "a")
    columns, vectors, *_ = read_columns(space._engine.log, np.array([1], np.int64), {"contents"}, vectors=False)
    assert (columns, vectors) == ({"contents": [content_of("a")]}, None)
    columns, vectors, *_ = read_columns(space._engine.log, np.array([1], np.int64), (), vectors=True)
    assert (columns, vectors is None) == ({}, False)


def test_records_of_which_a_compaction_dropped_rows_are_read(space: Space) -> None:
    space.set_retention(RetentionPolicy(0.0))
    for version in range(20):
        ids = [f"{version}-{id}" if place % 2 else id for place, id in enumerate(IDS)]
        texts = [f"{id} of {version} " + "and more " * 20 for id in ids]
        space.observe(ids, np.array([vector_of(id, version) for id in ids]), texts)
    engine = space._engine
    engine.retention.advance()
    engine.log_compaction.run(Pace(0, lambda: True))
    assert any(record.has_gaps for record in engine.log.records())
    kept = [f"{version}-{id}" for version in range(20) for id in IDS[1::2]]
    alive = [hit for hit in space.get(kept) if hit is not None]
    assert len(alive) == 200
    generations = np.array([hit.generation for hit in alive][::-1], np.int64)
    columns = read_columns(engine.log, generations, {"contents"}, vectors=False).columns
    assert columns["contents"] == [hit.content for hit in alive][::-1]
    record = next(record for record in engine.log.records() if record.has_gaps)
    dropped = np.arange(record.first_generation, record.last_generation + 1, dtype=np.int64)
    with pytest.raises(FailedPrecondition) as refused:
        read_columns(engine.log, dropped, {"contents"}, vectors=False)
    assert refused.value.code == "snapshot_expired"

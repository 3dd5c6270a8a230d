"""A graph is built of the vectors that can be read, and knows which others it lacks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from engram.index import HnswIndex
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.store.indexing.readable_vectors import append_readable
from tests.doubles.batches import DIM, batch_of, vector_of
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.logs import open_log

# The vectors fill whole sectors, in which nothing else is.
COUNT = 64
DAMAGED: list[Sequence[int]] = [[], [0], [6], [COUNT - 1], [1, 2, 9, 11, 12, 40], range(COUNT)]


@pytest.mark.parametrize("step", [1, 3], ids=["without gaps", "with gaps"])
@pytest.mark.parametrize("first", [0, 6])
@pytest.mark.parametrize("rows", DAMAGED, ids=str)
def test_runs_of_sound_vectors_are_appended_and_the_others_noted(rows: Sequence[int], first: int, step: int) -> None:
    storage = FaultyStorage()
    log = open_log(storage)
    generations = np.arange(COUNT, dtype=np.int64) * step + 1
    batch = batch_of([f"id-{row}" for row in range(COUNT)])
    (record,) = log.append([LogEntry(RecordKind.OBSERVE, 1, batch, generations=None if step == 1 else generations)])
    for row in rows:
        offset = record.payload_offset + 4 * DIM * row + 3
        storage.damage(record.segment.name, offset, bytes([storage.read(record.segment.name)[offset] ^ 1]))
    index = HnswIndex(DIM)
    append_readable(index, record, first)
    index.publish(record.last_generation)
    damaged: list[int] = []
    found, _ = index.search(vector_of("id-9"), k=COUNT, damaged=damaged)
    lacking = [row for row in rows if row >= first]
    assert (damaged, index.unreadable_count) == (generations[lacking].tolist(), len(lacking))
    assert set(found.tolist()) - {0} == {*generations[first:].tolist()} - {*damaged}
    assert (log.damages.count > 0) == bool(lacking)

"""What can be read of a damaged record is kept as it is, row by row."""

from __future__ import annotations

import numpy as np
import pytest

from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.log.records.sectors import SECTOR_BYTES
from engram.maintenance.repairs.rescue import batch_of, rescue
from engram.maintenance.survey import Found
from engram.model.observations import make_batch
from engram.model.values.presence import presence_bytes
from tests.doubles.batches import DIM
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.logs import open_log

# So many that their presence takes several sectors.
COUNT = 9_000


@pytest.fixture
def storage() -> FaultyStorage:
    return FaultyStorage()


@pytest.fixture
def record(storage: FaultyStorage) -> Record:
    """A record in which every third row has no text."""
    texts = [f"text {row}" if row % 3 else None for row in range(COUNT)]
    batch = make_batch([f"id-{row}" for row in range(COUNT)], np.ones((COUNT, DIM), np.float32), texts)
    (record,) = open_log(storage).append([LogEntry(RecordKind.OBSERVE, 1, batch)])
    return record


def test_rows_whose_presence_can_be_read_are_kept_where_that_of_others_is_damaged(
    storage: FaultyStorage, record: Record
) -> None:
    begin = record.payload_offset + record._lay_out().text_presence
    offset = begin + presence_bytes(COUNT) - 1
    storage.damage(record.segment.name, offset, bytes([storage.read(record.segment.name)[offset] ^ 1]))
    # A bit for each row.
    lost = 8 * (offset // SECTOR_BYTES * SECTOR_BYTES - begin)
    assert 0 < lost < COUNT
    rescued = rescue(Found(record, False))
    assert list(rescued.is_readable) == [row < lost for row in range(COUNT)]
    assert rescued.ids == [f"id-{row}" for row in range(COUNT)]
    batch = batch_of(record, range(1, lost))
    assert batch.text_presence is not None
    assert batch.text_presence.tolist() == [row % 3 > 0 for row in range(1, lost)]
    assert batch.contents[:3] == ["text 1", "text 2", ""]

"""Reading of what can be read in a record, row by row if the record is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engram.errors import CorruptData
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.maintenance.survey import Found
from engram.model.columns import COLUMNS, ColumnSpec, ExpirySpec, MetadataSpec
from engram.model.hit import StoredRow
from engram.model.observations import ObservationBatch, fill_batch
from engram.model.values.expiry import NEVER_US
from engram.model.values.presence import spread


@dataclass(frozen=True, slots=True)
class Rescued:
    """The readable rows of a record.

    Parameters
    ----------
    record
        The record.
    ids
        The id of each row; None if it cannot be read.
    is_readable
        For each row, whether all of it can be read.
    """

    record: Record
    ids: Sequence[str | None]
    is_readable: Sequence[bool]

    def generation(self, row: int) -> int:
        """Return the generation of a row."""
        try:
            return self.record.generation(row)
        except CorruptData:
            return min(self.record.first_generation + row, self.record.last_generation)


def rescue(found: Found) -> Rescued:
    """Return what can be read of a record that is part of the log."""
    record = found.record
    if found.is_whole:
        try:
            return Rescued(record, record.ids(), [bool(len(record.generations))] * record.count)
        except CorruptData:
            # The record became unreadable after it was checked, so treat it as damaged.
            pass
    if record.segment.format == 1:
        # One checksum covers the whole payload, so intact rows cannot be told from damaged ones.
        return Rescued(record, [None] * record.count, [False] * record.count)
    try:
        record.generation(0)
    except CorruptData:
        # Without their generations, the rows do not say which of them is newer.
        return Rescued(record, [None] * record.count, [False] * record.count)
    ids = [_id_of(record, row) for row in range(record.count)]
    is_readable = [id is not None and _is_readable(record, row) for row, id in enumerate(ids)]
    return Rescued(record, ids, is_readable)


def batch_of(record: Record, rows: range) -> ObservationBatch:
    """Return consecutive rows of a record as a batch of observations.

    Raises
    ------
    CorruptData
        If one of the rows is damaged.
    """
    taken = [record.row(row) for row in rows]
    columns: dict[str, Any] = {spec.name: spec.gather([_stored(row, spec) for row in taken]) for spec in COLUMNS}
    presence = record.vector_presence()
    if presence is not None:
        columns["vector_presence"] = presence[rows.start : rows.stop]
    # As each row says it: what is said of other rows may be damaged.
    with_text = np.array([row.has_content for row in taken], np.bool_)
    if not with_text.all():
        columns["text_presence"] = with_text
    vectors = spread(record.vectors(np.arange(rows.start, rows.stop)), columns.get("vector_presence"))
    return fill_batch([row.id for row in taken], vectors, columns)


def whole_batch_of(record: Record) -> ObservationBatch:
    """Return all rows of an intact record as a batch of observations, read column by column.

    Raises
    ------
    CorruptData
        If the record is not intact.
    """
    columns = record.columns()
    vectors = spread(record.raw_vectors.copy(), columns.get("vector_presence"))
    batch = fill_batch(record.ids(), vectors, columns)
    # Check after the copies are made, so that the check covers what was copied.
    record.check()
    return batch


def _stored(row: StoredRow, spec: ColumnSpec) -> Any:
    if isinstance(spec, ExpirySpec):
        return NEVER_US if row.expires_us is None else row.expires_us
    # As it is stored, because metadata may be a text that this version cannot read.
    return row.metadata_json if isinstance(spec, MetadataSpec) else getattr(row, spec.attribute)


def _id_of(record: Record, row: int) -> str | None:
    try:
        return record.id(row)
    except CorruptData:
        return None


def _is_readable(record: Record, row: int) -> bool:
    if record.kind is not RecordKind.OBSERVE:
        return True
    try:
        record.row(row)
        record.vector(row)
    except CorruptData:
        return False
    return True

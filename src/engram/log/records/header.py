"""The header of a record on disk in format 2. docs/formats.md describes it byte by byte."""

from __future__ import annotations

import struct
import sys
from enum import IntEnum
from typing import Final, NamedTuple

from engram.errors import NewerFormat
from engram.log.records.sectors import INLINE_SUMS, INLINE_SUMS_OFFSET, SECTOR_BYTES, sector_sum, table_sectors
from engram.model.limits import SESSION_ID_BYTES_MAX

MAGIC: Final = b"EGR2"

_PREFIX = struct.Struct("<4sI")
_FIELDS = struct.Struct("<IIBBHIQQQQQQqQQII64sQ")
_COLUMN = struct.Struct("<B3xI")
_COLUMNS_OFFSET: Final = _PREFIX.size + _FIELDS.size
_COLUMNS_MAX: Final = (INLINE_SUMS_OFFSET - _COLUMNS_OFFSET) // _COLUMN.size


class RecordKind(IntEnum):
    """The effect of a record: OBSERVE stores observations, DELETE removes ids, PROGRESS ends a compacted segment.

    A PROGRESS record has no rows of its own. It keeps what recovery needs of the rows that its segment lost.
    """

    OBSERVE = 1
    DELETE = 2
    PROGRESS = 3


class Column(IntEnum):
    """The numbers of the columns. A reader may skip columns from 128 on that it does not know."""

    VECTORS = 1
    VECTOR_SUMS = 2
    TIMES = 3
    CONFIDENCES = 4
    IMPORTANCES = 5
    IDS = 6
    CONTENTS = 7
    METADATA = 8
    TAGS = 9
    GENERATIONS = 10
    EXPIRES_AT = 11
    VECTOR_PRESENCE = 12
    TEXT_PRESENCE = 13
    RANGES = 14
    HORIZON = 15


COLUMN_OF: Final = {
    "times_us": Column.TIMES,
    "confidences": Column.CONFIDENCES,
    "importances": Column.IMPORTANCES,
    "ids": Column.IDS,
    "contents": Column.CONTENTS,
    "metadata": Column.METADATA,
    "tags": Column.TAGS,
    "expires_us": Column.EXPIRES_AT,
}
"""The number of each column of `engram.model.columns`, by its name."""

OPTIONAL_COLUMN: Final = 128
_FLOAT_BYTES: Final = 4
_KINDS: Final = frozenset(map(int, RecordKind))
_COLUMNS: Final = frozenset(Column)


class Header(NamedTuple):
    """The fields of a record's header.

    Parameters
    ----------
    kind
        A `RecordKind` as a number.
    rows
        Number of observations, of deleted ids, or of ranges of a PROGRESS record.
    length
        Size of the whole record in bytes, a multiple of the sector size.
    first_generation, last_generation
        Generations of the first and the last row. Without a GENERATIONS column, the generations of the rows are
        contiguous. Both are the last generation that its segment covers in a PROGRESS record.
    previous_generation
        The last generation of the preceding record in the log; 0 for the first record. Generations may legally be
        missing between the two records. But the log before this record must end with exactly this generation, or it was
        cut.
    synced_generation
        The last generation that was known to be durable when the record was written. It tells damage from a crash: if a
        later record names a broken record as durable, the loss is corruption.
    first_sequence
        Sequence number of the first observation in its session; 0 without a session.
    committed_us
        Commit time, microseconds since 1970 UTC; never before that of the preceding record.
    position, epoch
        Offset of the record in its segment in bytes, and the number of the segment.
    dim
        Dimension of the vectors.
    session
        The session that the observations came from, at most 64 bytes of UTF-8; ``""`` for no session.
    writer
        Number of the client that sent the observations in that session; 0 if it is not known.
    columns
        The number and the length in bytes of each column, in the order of the payload. Each column begins at a multiple
        of 8 bytes.
    sum_count
        Number of sectors in the payload, each of which has a checksum.
    """

    kind: int
    rows: int
    length: int
    first_generation: int
    last_generation: int
    previous_generation: int
    synced_generation: int
    first_sequence: int
    committed_us: int
    position: int
    epoch: int
    dim: int
    session: str
    writer: int
    columns: tuple[tuple[int, int], ...]
    sum_count: int

    @property
    def vectors(self) -> int:
        """Number of rows that have a vector."""
        if self.kind != RecordKind.OBSERVE or not self.columns:
            return 0
        number, nbytes = self.columns[0]
        if number == Column.VECTORS:
            return nbytes // (_FLOAT_BYTES * max(self.dim, 1))
        # In format 1, whose headers begin with the ids, every row has one.
        return self.rows if number == Column.IDS else 0

    @property
    def payload(self) -> int:
        """Offset of the payload in the segment, in bytes."""
        return self.position + SECTOR_BYTES * (1 + table_sectors(self.sum_count))

    @property
    def end(self) -> int:
        """Offset of the end of the record in the segment, in bytes."""
        return self.position + self.length

    def pack(self, sums: bytes, salt: int) -> bytes:
        """Return the sector of the header, which includes the first 48 of the payload's checksums `sums`.

        Raises
        ------
        ValueError
            If the session id is too long, or if there are too many columns.
        """
        session = self.session.encode()
        if len(session) > SESSION_ID_BYTES_MAX:
            raise ValueError(f"session {self.session[:64]!r} is longer than {SESSION_ID_BYTES_MAX} bytes")
        if len(self.columns) > _COLUMNS_MAX:
            raise ValueError(f"{len(self.columns)} columns where a header has room for {_COLUMNS_MAX}")
        counts = self.sum_count, table_sectors(self.sum_count), self.kind, len(session), len(self.columns)
        fields = _FIELDS.pack(*counts, *self[1:12], self.vectors, session, self.writer)
        columns = b"".join(_COLUMN.pack(number, nbytes) for number, nbytes in self.columns)
        checked = fields + columns.ljust(INLINE_SUMS_OFFSET - _COLUMNS_OFFSET, b"\0")
        checked += sums[: 4 * INLINE_SUMS].ljust(4 * INLINE_SUMS, b"\0")
        return _PREFIX.pack(MAGIC, sector_sum(checked, salt, self.position)) + checked


def read_header(memory: memoryview, position: int, salt: int, epoch: int) -> Header | None:
    """Return the header at `position`, or None if there is no valid header for this position and `epoch`."""
    if position + SECTOR_BYTES > len(memory):
        return None
    magic, found = _PREFIX.unpack_from(memory, position)
    if magic != MAGIC or sector_sum(memory[position + _PREFIX.size : position + SECTOR_BYTES], salt, position) != found:
        return None
    sum_count, table, kind, session_bytes, column_count, *numbers, _, text, writer = _FIELDS.unpack_from(
        memory, position + _PREFIX.size
    )
    columns_at = position + _COLUMNS_OFFSET
    columns = tuple(_COLUMN.iter_unpack(memory[columns_at : columns_at + _COLUMN.size * column_count]))
    # Interned, so that the thousands of records of a session share one string.
    session = sys.intern(text[:session_bytes].decode())
    header = Header._make((kind, *numbers, session, writer, columns, sum_count))
    is_placed = (header.position, header.epoch) == (position, epoch) and table == table_sectors(sum_count)
    return header if is_placed and header.length == SECTOR_BYTES * (1 + table + sum_count) else None


def check_known(header: Header, name: str) -> None:
    """Refuse a record that contains anything this version does not know.

    Raises
    ------
    NewerFormat
        If there is anything unknown in the record. It is intact, and a newer version of Engram reads it.
    """
    if header.kind in _KINDS and _COLUMNS.issuperset(dict(header.columns)):
        # Nearly every record returns here. The rest of the check is slow.
        return
    unknown = [] if header.kind in _KINDS else [f"a record of kind {header.kind}"]
    unknown += [
        f"column {number}" for number, _ in header.columns if number not in _COLUMNS and number < OPTIONAL_COLUMN
    ]
    if unknown:
        raise NewerFormat(
            f"{name} has {' and '.join(unknown)} at offset {header.position}, which a newer Engram wrote; this one "
            "does not know it",
            field=name,
            limit="records of this version",
            value=unknown[0],
        )

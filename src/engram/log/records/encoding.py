"""Encoding of log entries as the bytes of records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.log.files.storage import Buffer
from engram.log.records.entry import LogEntry
from engram.log.records.header import COLUMN_OF, Column, Header
from engram.log.records.layout import COLUMN_ALIGNMENT, NUMBERS, TEXTS
from engram.log.records.progress import SessionProgress
from engram.log.records.sectors import INLINE_SUMS, SECTOR_BYTES, pack_table, sectors_of, table_sectors
from engram.log.records.text_column import encode_texts
from engram.model.columns import ColumnSpec, TagsSpec
from engram.model.observations import ObservationBatch
from engram.model.values.expiry import NEVER_US, expires
from engram.model.values.presence import gathered, pack_presence

_PADDING: Final = bytes(SECTOR_BYTES)
_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class EncodedRecord(NamedTuple):
    """The bytes of a record.

    Parameters
    ----------
    header
        The header. `place` sets its segment and position, its preceding and durable generations, and its commit time.
        Before that, the commit time is 0, except for an entry that is copied from another log.
    payload
        The columns, one after the other, padded to whole sectors.
    sums
        The plain checksums of the payload's sectors. `place` makes them those of a segment.
    buffers
        Everything that has to be written; empty until `place`.
    vector_sums
        The CRC32C of each vector, as in the payload: uint32, shape ``(n,)``; None if there are none.
    """

    header: Header
    payload: list[Buffer]
    sums: bytes
    buffers: list[Buffer]
    vector_sums: NDArray[np.uint32] | None

    @property
    def nbytes(self) -> int:
        """Size of the record on disk in bytes."""
        return self.header.length

    def place(
        self,
        *,
        epoch: int,
        position: int,
        salt: int,
        previous_generation: int,
        synced_generation: int,
        committed_us: int,
    ) -> EncodedRecord:
        """Return the same record, ready to be written at `position` of segment `epoch`.

        The segment's checksums start from `salt`. The other parameters become fields of the `Header`.
        """
        header = self.header._replace(
            epoch=epoch,
            position=position,
            previous_generation=previous_generation,
            synced_generation=synced_generation,
            committed_us=committed_us,
        )
        sums = _core.salted_sums(self.sums, salt, header.payload // SECTOR_BYTES)
        buffers: list[Buffer] = [header.pack(sums, salt)]
        if len(sums) > 4 * INLINE_SUMS:
            buffers.append(pack_table(sums[4 * INLINE_SUMS :], salt, position + SECTOR_BYTES))
        return self._replace(header=header, buffers=buffers + self.payload)


def encode_record(entry: LogEntry, dim: int) -> EncodedRecord:
    """Return the record of `entry`. The vectors, of dimension `dim`, are referenced, not copied.

    Raises
    ------
    ValueError
        If a column does not have as many rows as there are ids, or if the vectors have another dimension.
    """
    batch = entry.batch
    count = entry.count
    columns: list[tuple[Column, list[Buffer]]] = []
    sums: NDArray[np.uint32] | None = None
    # Of the part of the payload that is already summed.
    sectors = b""
    if entry.progress is not None:
        columns += _progress_columns(entry.progress)
    elif batch is not None:
        vectors = _vectors(batch, count, dim)
        if len(vectors):
            sums, sectors = vector_sums(vectors)
            columns += [(Column.VECTORS, [_bytes_of(vectors)]), (Column.VECTOR_SUMS, [_bytes_of(sums)])]
        columns += [(COLUMN_OF[spec.name], [_numbers(batch, spec, count)]) for spec in NUMBERS]
        columns += [(COLUMN_OF[spec.name], _texts(texts, count)) for spec, texts in _texts_of(batch)]
        columns += _expiry_column(batch, count)
        columns += _presence_columns(batch, count)
    else:
        columns.append((Column.IDS, _texts(entry.ids, count)))
    if entry.generations is not None:
        columns.append((Column.GENERATIONS, [_bytes_of(_rising(entry.generations, count))]))
    payload: list[Buffer] = []
    sizes: list[tuple[int, int]] = []
    total = 0
    for number, parts in columns:
        nbytes = sum(map(len, parts))
        sizes.append((int(number), nbytes))
        padding = -nbytes % COLUMN_ALIGNMENT
        payload += [*filter(len, parts), *([_PADDING[:padding]] if padding else [])]
        total += nbytes + padding
    if total % SECTOR_BYTES:
        payload.append(_PADDING[: -total % SECTOR_BYTES])
    sectors += _core.sector_sums(payload[1:] if sectors else payload)
    return EncodedRecord(_unplaced_header(entry, dim, sizes, sectors_of(total)), payload, sectors, [], sums)


def vector_sums(vectors: NDArray[np.float32]) -> tuple[NDArray[np.uint32], bytes]:
    """Return the CRC32C of each vector, and the plain checksums of the sectors that the vectors fill.

    The second are empty unless each vector fills whole sectors. If it does, its checksum follows from theirs, so its
    bytes are read once instead of twice.
    """
    sectors_per_row, rest = divmod(vectors.itemsize * vectors.shape[1], SECTOR_BYTES)
    if rest:
        return _core.crc32c_rows(vectors), b""
    sectors = _core.sector_sums([_bytes_of(vectors)])
    return _core.joined_sums(sectors, sectors_per_row), sectors


def _texts_of(batch: ObservationBatch) -> Iterator[tuple[ColumnSpec, Sequence[str]]]:
    """Yield the columns of texts that the batch has, as the log stores them."""
    for spec in TEXTS:
        column: Sequence[Any] | None = getattr(batch, spec.name)
        if column is not None:
            yield (
                spec,
                [_encode_json(list(tags)) if tags else "" for tags in column] if isinstance(spec, TagsSpec) else column,
            )


def _vectors(batch: ObservationBatch, count: int, dim: int) -> NDArray[np.float32]:
    """Return the vectors of the rows that have one."""
    vectors: NDArray[np.float32] = np.ascontiguousarray(batch.vectors, dtype=np.float32)
    presence = batch.vector_presence
    if presence is not None and len(vectors) == count == len(presence):
        vectors, count = gathered(vectors, presence), int(np.count_nonzero(presence))
        if not count:
            return vectors
    if vectors.shape != (count, dim):
        raise ValueError(f"vectors of shape {vectors.shape} where ({count}, {dim}) belongs")
    return vectors


def _presence_columns(batch: ObservationBatch, count: int) -> Iterator[tuple[Column, list[Buffer]]]:
    """Yield which rows have a vector, and which a text, where some have none."""
    for column, presence in (
        (Column.VECTOR_PRESENCE, batch.vector_presence),
        (Column.TEXT_PRESENCE, batch.text_presence),
    ):
        if presence is not None and not presence.all():
            if presence.shape != (count,):
                raise ValueError(f"the presence of {presence.shape} rows where {count} belong")
            yield column, [_bytes_of(pack_presence(presence))]


def _rising(generations: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    array: NDArray[np.int64] = np.ascontiguousarray(generations, dtype=np.int64)
    if array.shape != (count,) or (np.diff(array) <= 0).any():
        raise ValueError(f"generations of shape {array.shape} where {count} rising ones belong")
    return array


def _progress_columns(progress: SessionProgress) -> list[tuple[Column, list[Buffer]]]:
    horizon = np.array(progress.horizon, dtype=np.int64)
    ranges = np.ascontiguousarray(progress.ranges, dtype=np.uint64)
    return [
        (Column.IDS, _texts(progress.sessions, len(ranges))),
        (Column.RANGES, [_bytes_of(ranges)]),
        (Column.HORIZON, [_bytes_of(horizon)]),
    ]


def _expiry_column(batch: ObservationBatch, count: int) -> list[tuple[Column, list[Buffer]]]:
    """Return the column of when rows expire, which a record has only if one does."""
    column = batch.expires_us
    if column is None or not (known := expires(column)).any():
        return []
    if column.shape != (count,):
        raise ValueError(f"expires_us of shape {column.shape} where ({count},) belongs")
    stored: NDArray[np.int64] = np.where(known, column, NEVER_US).astype(np.int64)
    return [(Column.EXPIRES_AT, [_bytes_of(stored)])]


def _numbers(batch: ObservationBatch, spec: ColumnSpec, count: int) -> memoryview:
    array: NDArray[Any] = np.ascontiguousarray(getattr(batch, spec.name), dtype=spec.dtype)
    if array.shape != (count,):
        raise ValueError(f"{spec.name} of shape {array.shape} where ({count},) belongs")
    return _bytes_of(array)


def _texts(texts: Sequence[str], count: int) -> list[Buffer]:
    if len(texts) != count:
        raise ValueError(f"a column of {len(texts)} texts where {count} belong")
    offsets, blob = encode_texts(texts)
    return [_bytes_of(offsets), blob]


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _unplaced_header(entry: LogEntry, dim: int, columns: list[tuple[int, int]], sum_count: int) -> Header:
    return Header(
        kind=entry.kind,
        rows=entry.count if entry.progress is None else len(entry.progress.sessions),
        length=SECTOR_BYTES * (1 + table_sectors(sum_count) + sum_count),
        first_generation=entry.first_generation,
        last_generation=entry.last_generation,
        previous_generation=0,
        synced_generation=0,
        first_sequence=entry.first_sequence,
        committed_us=entry.committed_us,
        position=0,
        epoch=0,
        dim=dim,
        session=entry.session,
        writer=entry.writer,
        columns=tuple(columns),
        sum_count=sum_count,
    )

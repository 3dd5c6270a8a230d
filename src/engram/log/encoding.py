"""From log entries to the bytes of records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from engram.log.entry import LogEntry
from engram.log.header import ALIGNMENT, HAS_METADATA, HAS_TAGS, HEADER_BYTES, Header
from engram.log.storage import Buffer
from engram.log.text_column import encode_texts
from engram.observations import ObservationBatch

# Some ten microseconds.
_SUMMED_LOCKED_BYTES_MAX: Final = 1 << 20
_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class EncodedRecord(NamedTuple):
    """A record that is ready to be written anywhere; `header` still lacks place and time."""

    header: Header
    payload: list[Buffer]

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return self.header.length

    def placed(
        self, epoch: int, position: int, segment_bytes: int, synced_generation: int, committed_us: int
    ) -> EncodedRecord:
        """The same record, to be written at `position` of segment `epoch` at the time `committed_us`."""
        header = self.header._replace(
            epoch=epoch,
            position=position,
            segment_bytes=segment_bytes,
            synced_generation=synced_generation,
            committed_us=committed_us,
        )
        return EncodedRecord(header, self.payload)

    def buffers(self) -> list[Buffer]:
        """The bytes to write."""
        return [self.header.pack(), *self.payload]


def encode_record(entry: LogEntry, dim: int) -> EncodedRecord:
    """Encode `entry`. The vectors are referenced, not copied."""
    batch = entry.batch
    ids = encode_texts(entry.ids if batch is None else batch.ids)
    fixed: list[NDArray[Any]] = []
    columns = [ids]
    if batch is not None:
        fixed = _fixed_columns(batch, dim)
        columns.append(encode_texts(batch.contents))
        if batch.metadata is not None:
            columns.append(encode_texts(batch.metadata))
        if batch.tags is not None:
            columns.append(encode_texts(list(map(_encode_tags, batch.tags))))
    parts: list[Buffer] = [column.data for column in (*fixed, *(offsets for offsets, _ in columns))]
    parts.extend(blob for _, blob in columns)
    if fixed:
        parts.insert(1, bytes(-fixed[0].nbytes % ALIGNMENT))
    payload = [memoryview(part).cast("B") for part in parts if len(part)]
    length = HEADER_BYTES + sum(map(len, payload))
    payload.append(memoryview(bytes(-length % ALIGNMENT)))
    crc = 0
    for part in payload:
        # To get the interpreter lock back from a busy thread takes longer than most sums.
        crc = crc32c(part, crc, gil_release_mode=int(len(part) > _SUMMED_LOCKED_BYTES_MAX))
    return EncodedRecord(_unplaced_header(entry, dim, columns, length, crc), list(payload))


def _encode_tags(tags: Sequence[str]) -> str:
    return _encode_json(list(tags)) if tags else ""


def _fixed_columns(batch: ObservationBatch, dim: int) -> list[NDArray[Any]]:
    vectors = np.ascontiguousarray(batch.vectors, dtype=np.float32)
    if vectors.shape != (len(batch), dim):
        raise ValueError(f"vectors of shape {vectors.shape} where ({len(batch)}, {dim}) belongs")
    return [
        vectors,
        np.ascontiguousarray(batch.times_us, dtype=np.int64),
        np.ascontiguousarray(batch.confidences, dtype=np.float32),
        np.ascontiguousarray(batch.importances, dtype=np.float32),
    ]


def _unplaced_header(
    entry: LogEntry,
    dim: int,
    columns: list[tuple[NDArray[np.uint32], bytes]],
    length: int,
    payload_crc: int,
) -> Header:
    batch = entry.batch
    sizes = [len(blob) for _, blob in columns]
    has_metadata = batch is not None and batch.metadata is not None
    has_tags = batch is not None and batch.tags is not None
    return Header(
        payload_crc=payload_crc,
        kind=entry.kind,
        columns=HAS_METADATA * has_metadata + HAS_TAGS * has_tags,
        epoch=0,
        position=0,
        segment_bytes=0,
        length=length + -length % ALIGNMENT,
        first_generation=entry.first_generation,
        synced_generation=0,
        first_sequence=entry.first_sequence,
        committed_us=0,
        rows=entry.count,
        dim=dim,
        ids_bytes=sizes[0],
        contents_bytes=sizes[1] if batch is not None else 0,
        metadata_bytes=sizes[2] if has_metadata else 0,
        tags_bytes=sizes[-1] if has_tags else 0,
        session=entry.session,
        writer=entry.writer,
    )

"""Records of format 1, which Engram 0.1 wrote. This version reads them and never writes them.

Records begin at offset 0 of a segment and at multiples of 64 bytes. A header of 192 bytes is followed by vectors,
padding, times, confidences, importances, the offsets of each text column, and the texts. One checksum covers the
header, and another one everything else. A record does not say which space it belongs to. See docs/formats.md.
"""

from __future__ import annotations

import struct
import sys
from itertools import accumulate
from typing import Final, NamedTuple

from crc32c import crc32c

from engram.log.records.header import COLUMN_OF, Column, Header, RecordKind
from engram.log.records.layout import Layout, TextPlace, make_layout

HEADER_BYTES: Final = 192
ALIGNMENT: Final = 64
MAGIC: Final = b"EGR1"

_NAMES: Final[dict[int, str]] = {number: name for name, number in COLUMN_OF.items()}
_HAS_METADATA: Final = 1
_HAS_TAGS: Final = 2
_CHECKED = struct.Struct("<IBBH8Q6I64s")
_PREFIX = struct.Struct("<4sI")


class Header1(NamedTuple):
    """The content of a format 1 header.

    Parameters
    ----------
    header
        The fields that format 2 has as well.
    payload_crc
        CRC32C of the bytes behind the header.
    segment_bytes
        Size of the segment's file in bytes.
    """

    header: Header
    payload_crc: int
    segment_bytes: int


def read_header1(memory: memoryview, position: int, epoch: int) -> Header1 | None:
    """Return the header at `position`, or None if there is no valid header for this position and `epoch`."""
    if position + HEADER_BYTES > len(memory):
        return None
    magic, crc = _PREFIX.unpack_from(memory, position)
    if magic != MAGIC or crc32c(memory[position + _PREFIX.size : position + HEADER_BYTES]) != crc:
        return None
    fields = _CHECKED.unpack_from(memory, position + _PREFIX.size)
    payload_crc, kind, optional, session_bytes, found_epoch, found_position, segment_bytes, length = fields[:8]
    first_generation, synced, first_sequence, committed_us, rows, dim, *sizes, session = fields[8:]
    if (found_position, found_epoch) != (position, epoch):
        return None
    header = Header(
        kind=kind,
        rows=rows,
        length=length,
        first_generation=first_generation,
        last_generation=first_generation + rows - 1,
        # Generations have no gaps in format 1.
        previous_generation=first_generation - 1,
        synced_generation=synced,
        first_sequence=first_sequence,
        committed_us=committed_us,
        position=position,
        epoch=epoch,
        dim=dim,
        session=sys.intern(session[:session_bytes].decode()),
        # Format 1 does not number the writers of sessions.
        writer=0,
        columns=_columns(kind, optional, sizes),
        sum_count=0,
    )
    return Header1(header, payload_crc, segment_bytes)


def payload_is_whole1(memory: memoryview, header1: Header1) -> bool:
    """Return whether the bytes behind the header match their checksum."""
    header = header1.header
    payload = memory[header.position + HEADER_BYTES : header.end]
    return len(payload) == header.length - HEADER_BYTES and crc32c(payload) == header1.payload_crc


def lay_out1(header: Header) -> Layout:
    """Return the layout of a format 1 record, in bytes from the end of its header."""
    offsets_bytes = 4 * (header.rows + 1)
    if header.kind != RecordKind.OBSERVE:
        return make_layout({}, {"ids": TextPlace(0, offsets_bytes, header.columns[0][1])})
    vectors_bytes = 4 * header.rows * header.dim
    times = vectors_bytes + -vectors_bytes % ALIGNMENT
    confidences = times + 8 * header.rows
    importances = confidences + 4 * header.rows
    offsets = importances + 4 * header.rows
    sizes = dict(header.columns)
    starts = accumulate(sizes.values(), initial=offsets + offsets_bytes * len(sizes))
    texts = {
        _NAMES[number]: TextPlace(offsets + offsets_bytes * place, start, size)
        for place, ((number, size), start) in enumerate(zip(sizes.items(), starts, strict=False))
    }
    return make_layout({"times_us": times, "confidences": confidences, "importances": importances}, texts, vectors=0)


def _columns(kind: int, optional: int, sizes: list[int]) -> tuple[tuple[int, int], ...]:
    """Return the text columns of a record: their numbers, and the lengths of their blobs in bytes."""
    ids, contents, metadata, tags = sizes
    columns: list[tuple[int, int]] = [(Column.IDS, ids)]
    if kind == RecordKind.OBSERVE:
        columns.append((Column.CONTENTS, contents))
        if optional & _HAS_METADATA:
            columns.append((Column.METADATA, metadata))
        if optional & _HAS_TAGS:
            columns.append((Column.TAGS, tags))
    return tuple(columns)

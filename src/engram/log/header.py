"""The fixed part of a record on disk."""

from __future__ import annotations

import struct
import sys
from enum import IntEnum
from typing import Final, NamedTuple

from crc32c import crc32c

from engram.limits import SESSION_ID_BYTES_MAX

HEADER_BYTES: Final = 192
# Records start at multiples of this, which also aligns their vectors.
ALIGNMENT: Final = 64
MAGIC: Final = b"EGR1"
# Bits of `Header.columns`.
HAS_METADATA: Final = 1
HAS_TAGS: Final = 2

_CHECKED = struct.Struct("<IBBH8Q6I64sQ")
_PREFIX = struct.Struct("<4sI")
_PADDING = bytes(HEADER_BYTES - _PREFIX.size - _CHECKED.size)


class RecordKind(IntEnum):
    """What a record does to its ids."""

    OBSERVE = 1
    DELETE = 2


class Header(NamedTuple):
    """A record's header: 192 bytes, little-endian, with a CRC32C of its own.

    Parameters
    ----------
    payload_crc
        CRC32C of everything after the header, up to `length`.
    kind, columns
        The `RecordKind`, and bits saying which optional columns there are.
    ids_bytes, contents_bytes, metadata_bytes, tags_bytes
        Lengths of the texts.
    epoch, position, segment_bytes
        Where the record was written: the segment's number, the offset in it, the size of its file. A record that is
        found elsewhere is not one, and a file that is shorter was cut.
    length
        Of the whole record with header and padding.
    first_generation, rows
        The record's generations are ``first_generation .. first_generation + rows - 1``.
    synced_generation
        The last generation known to be durable when the record was written. It tells damage from a crash: a broken
        record was durable, and its loss is corruption, exactly if a later record knows it to be durable.
    first_sequence
        The session's sequence number of the first observation; 0 without a session.
    committed_us
        When it was written, microseconds since 1970 UTC; never before that of the record in front of it.
    dim
        Length of the vectors.
    session
        Where the observations came from, at most 64 bytes of UTF-8; ``""`` for no session.
    writer
        Number of the client that sent them in that session; 0 if it is not known, as in records of before there were
        such numbers.
    """

    payload_crc: int
    kind: int
    columns: int
    epoch: int
    position: int
    segment_bytes: int
    length: int
    first_generation: int
    synced_generation: int
    first_sequence: int
    committed_us: int
    rows: int
    dim: int
    ids_bytes: int
    contents_bytes: int
    metadata_bytes: int
    tags_bytes: int
    session: str = ""
    writer: int = 0

    @property
    def last_generation(self) -> int:
        """The generation of the record's last row."""
        return self.first_generation + self.rows - 1

    def pack(self) -> bytes:
        """The header as it is written."""
        session = self.session.encode()
        if len(session) > SESSION_ID_BYTES_MAX:
            raise ValueError(f"session {self.session[:64]!r} is longer than {SESSION_ID_BYTES_MAX} bytes")
        payload_crc, kind, columns, *numbers, _, writer = self
        checked = _CHECKED.pack(payload_crc, kind, columns, len(session), *numbers, session, writer) + _PADDING
        return _PREFIX.pack(MAGIC, crc32c(checked)) + checked


def read_header(memory: memoryview, position: int) -> Header | None:
    """The header at `position`, or None if there is none that checks out and says it belongs there."""
    if position + HEADER_BYTES > len(memory):
        return None
    magic, crc = _PREFIX.unpack_from(memory, position)
    if magic != MAGIC or crc32c(memory[position + _PREFIX.size : position + HEADER_BYTES]) != crc:
        return None
    payload_crc, kind, columns, session_bytes, *numbers, text, writer = _CHECKED.unpack_from(
        memory, position + _PREFIX.size
    )
    # Interned: a session's thousands of records share one string.
    session = sys.intern(text[:session_bytes].decode())
    header = Header._make((payload_crc, kind, columns, *numbers, session, writer))
    return header if header.position == position else None


def payload_is_whole(memory: memoryview, header: Header) -> bool:
    """Whether the bytes after the header are the ones that were written."""
    payload = memory[header.position + HEADER_BYTES : header.position + header.length]
    return len(payload) == header.length - HEADER_BYTES and crc32c(payload) == header.payload_crc

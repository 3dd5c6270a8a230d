"""The first sector of a segment: the store, space and incarnation it belongs to, and its number in the log."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from engram.errors import NewerFormat
from engram.log.identity import ID_BYTES, Identity
from engram.log.records.sectors import SECTOR_BYTES, sector_sum

MAGIC: Final = b"EGS2"
FORMAT: Final = 2

_PREFIX = struct.Struct("<4sI")
_FIELDS = struct.Struct(f"<HHIQQ{ID_BYTES}s{ID_BYTES}s{ID_BYTES}sQI")


class SegmentHeader(NamedTuple):
    """The content of a segment's first sector.

    Parameters
    ----------
    salt
        The number that the checksums of the other sectors start from.
    epoch
        Number of the segment in the log.
    nbytes
        Size of the file in bytes.
    identity
        The space that the segment was created for, with the incarnation of that time.
    first_epoch, revision
        For a compacted segment the lowest number of the segments that it replaces, and how often it was compacted;
        else 0.
    """

    salt: int
    epoch: int
    nbytes: int
    identity: Identity
    first_epoch: int = 0
    revision: int = 0

    def pack(self) -> bytes:
        """Return the bytes of the sector."""
        ids = (bytes.fromhex(one) for one in self.identity)
        fields = _FIELDS.pack(FORMAT, 0, self.salt, self.epoch, self.nbytes, *ids, self.first_epoch, self.revision)
        checked = fields.ljust(SECTOR_BYTES - _PREFIX.size, b"\0")
        return _PREFIX.pack(MAGIC, sector_sum(checked, 0, 0)) + checked


def read_segment_header(memory: memoryview, name: str) -> SegmentHeader | None:
    """Return the header of the segment in `memory`, or None if its first sector is not valid.

    Raises
    ------
    NewerFormat
        If a newer version of Engram wrote it.
    """
    if len(memory) < SECTOR_BYTES:
        return None
    magic, found = _PREFIX.unpack_from(memory, 0)
    if magic != MAGIC or sector_sum(memory[_PREFIX.size : SECTOR_BYTES], 0, 0) != found:
        return None
    written, _, salt, epoch, nbytes, *ids, first_epoch, revision = _FIELDS.unpack_from(memory, _PREFIX.size)
    if written > FORMAT:
        raise NewerFormat(
            f"{name} is of format {written}, which a newer Engram wrote; this one knows formats up to {FORMAT}",
            field=name,
            limit=FORMAT,
            value=written,
        )
    return SegmentHeader(salt, epoch, nbytes, Identity(*(one.hex() for one in ids)), first_epoch, revision)

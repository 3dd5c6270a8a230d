"""The unit of everything on disk: sectors of 512 bytes, each with a checksum of its own.

A disk writes a sector whole or not at all. So after a power cut every sector of an unfinished write is either right or
still zero, and a sector that is neither is damage. A checksum for each sector is also fine enough to check what one hit
needs without reading the whole record.

The checksum is CRC32C and starts from the segment's salt plus the number of the sector in the file: bytes of another
segment, or of another place in this one, do not fit.
"""

from __future__ import annotations

from typing import Final

from crc32c import crc32c

from engram.log.files.storage import Buffer

SECTOR_BYTES: Final = 512
# Checksums that stand in the header's own sector, and the place of the first.
INLINE_SUMS: Final = 48
INLINE_SUMS_OFFSET: Final = SECTOR_BYTES - 4 * INLINE_SUMS
# Each further sector of checksums holds so many, and ends with its own.
TABLE_SUMS: Final = SECTOR_BYTES // 4 - 1


def seed(salt: int, offset: int) -> int:
    """What the checksum of the sector at `offset` of a file starts from."""
    return (salt + offset // SECTOR_BYTES) & 0xFFFF_FFFF


def sector_sum(data: Buffer, salt: int, offset: int) -> int:
    """The checksum of (a part of) the sector at `offset`."""
    return crc32c(data, seed(salt, offset))


def sectors_of(nbytes: int) -> int:
    """How many sectors `nbytes` fill."""
    return -(-nbytes // SECTOR_BYTES)


def table_sectors(sum_count: int) -> int:
    """How many sectors of checksums follow the header of a record with `sum_count` sectors of payload."""
    return -(-max(0, sum_count - INLINE_SUMS) // TABLE_SUMS)


def pack_table(sums: bytes, salt: int, offset: int) -> bytes:
    """The sectors of checksums that lie at `offset`, for the checksums `sums` that the header has no room for."""
    table = bytearray()
    for start in range(0, len(sums), 4 * TABLE_SUMS):
        entries = sums[start : start + 4 * TABLE_SUMS].ljust(4 * TABLE_SUMS, b"\0")
        table += entries + sector_sum(entries, salt, offset + len(table)).to_bytes(4, "little")
    return bytes(table)

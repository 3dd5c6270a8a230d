"""Sectors: the units of everything on disk, 512 bytes each, with one checksum per sector.

A disk writes a sector completely or not at all. After a power cut, every sector of an unfinished write is therefore
either right or still zero, and a sector that is neither is damaged. One checksum per sector also makes it possible to
check the bytes of one hit without reading the whole record.

The checksum is a CRC32C that starts from the segment's salt plus the number of the sector in the file. Bytes of another
segment, or of another place in the same segment, do not match. The scheme is our own, see
docs/decisions/0013-every-byte-is-checked.md.
"""

from __future__ import annotations

from typing import Final

from crc32c import crc32c

from engram.log.files.storage import Buffer

SECTOR_BYTES: Final = 512
# Number of payload checksums in the sector of the header, and the offset of the first one in that sector.
INLINE_SUMS: Final = 48
INLINE_SUMS_OFFSET: Final = SECTOR_BYTES - 4 * INLINE_SUMS
# Number of payload checksums in each further sector of checksums, which ends with its own checksum.
TABLE_SUMS: Final = SECTOR_BYTES // 4 - 1


def seed(salt: int, offset: int) -> int:
    """Return the number that the checksum of the sector at `offset` of a file starts from."""
    return (salt + offset // SECTOR_BYTES) & 0xFFFF_FFFF


def sector_sum(data: Buffer, salt: int, offset: int) -> int:
    """Return the checksum of `data`, the sector at `offset` or a part of it."""
    return crc32c(data, seed(salt, offset))


def sectors_of(nbytes: int) -> int:
    """Return the number of sectors that `nbytes` bytes need."""
    return -(-nbytes // SECTOR_BYTES)


def table_sectors(sum_count: int) -> int:
    """Return how many sectors of checksums follow the header of a record with `sum_count` sectors of payload."""
    return -(-max(0, sum_count - INLINE_SUMS) // TABLE_SUMS)


def pack_table(sums: bytes, salt: int, offset: int) -> bytes:
    """Return the sectors of checksums at `offset`, which hold `sums`, the checksums that do not fit into the header."""
    table = bytearray()
    for start in range(0, len(sums), 4 * TABLE_SUMS):
        entries = sums[start : start + 4 * TABLE_SUMS].ljust(4 * TABLE_SUMS, b"\0")
        table += entries + sector_sum(entries, salt, offset + len(table)).to_bytes(4, "little")
    return bytes(table)

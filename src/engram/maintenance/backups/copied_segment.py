"""Copying and checking of a part of a segment. The check reads the copy, so it covers exactly what was copied."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Final

from crc32c import crc32c

from engram import _core
from engram.errors import CorruptData
from engram.log.damage import Damages
from engram.log.files.file_storage import FileStorage
from engram.log.records.header import Header
from engram.log.records.sectors import SECTOR_BYTES
from engram.log.segments.segment import MISFIT, Segment
from engram.maintenance.backups.backup_file import BackedSegment
from engram.maintenance.backups.whole_prefix import Part, begins_nonzero

_CHUNK_BYTES: Final = 1 << 20


def copy_part(source: FileStorage, part: Part, target: FileStorage, name: str, on_bytes: Callable[[int], None]) -> None:
    """Copy the beginning of a segment to the file `name`, durably.

    Parameters
    ----------
    source
        The directory of the log.
    part
        The segment, and how much of it to copy.
    target, name
        The directory and the name of the copy.
    on_bytes
        Function that receives the number of bytes of each copied piece.

    Raises
    ------
    OSError
        If the segment cannot be read or the copy cannot be written. A sector that cannot be read is such an error,
        because the file is read and not mapped.
    """
    reader = source.descriptor(part.entry.name, os.O_RDONLY)
    try:
        with target.taking(name, part.end):
            try:
                _copy(reader, part, target, name, on_bytes)
            except BaseException:
                with contextlib.suppress(OSError):
                    target.remove(name)
                raise
    finally:
        os.close(reader)


def _copy(reader: int, part: Part, target: FileStorage, name: str, on_bytes: Callable[[int], None]) -> None:
    writer = target.descriptor(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        offset = 0
        while offset < part.end:
            data = os.pread(reader, min(_CHUNK_BYTES, part.end - offset), offset)
            if not data:
                raise OSError(f"{part.entry.name} ends at offset {offset}")
            _write_all(writer, data, offset)
            offset += len(data)
            on_bytes(len(data))
        os.fsync(writer)
        _forget_pages(writer)
    finally:
        os.close(writer)


def check_copy(
    storage: FileStorage, name: str, part: Part, previous: int, durable: int, damages: Damages, source: FileStorage
) -> tuple[Part, int]:
    """Read a copied part again and check every byte of it.

    Parameters
    ----------
    storage, name
        The directory and the name of the copy.
    part
        The description of the content that the copy should have.
    previous
        The last generation of the part before.
    durable
        Everything up to this generation must be intact. A broken record behind it may have been written while it was
        copied, or may have been left by a crash; the part then ends in front of that record. If neither explains what
        is there, it is damage.
    damages
        Object that receives reports of damage.
    source
        The directory that the part was copied from.

    Returns
    -------
    tuple[Part, int]
        The intact part of the copy, and its CRC32C.

    Raises
    ------
    CorruptData
        If something durable is broken.
    NewerFormat
        If a newer version of Engram wrote a record of it.
    OSError
        If the copy cannot be opened.
    """
    file = storage.open(name)
    entry = part.entry
    segment = Segment(entry.epoch, file, entry.salt, damages, entry.format, entry.revision)
    try:
        if part.entry.format == 1:
            crc = crc32c(segment.memory[: part.end])
            if crc != part.entry.crc:
                what = "the file is not the one that was there when this directory became format 2"
                raise segment.report(0, 0, part.last_generation, what).error()
            return part, crc
        last = previous
        while segment.end < part.end:
            header = segment.header_at(segment.end)
            if header is not None and header.previous_generation != last:
                header = None
            offset = segment.end if header is None else segment.damage_in(header)
            if header is None or offset >= 0:
                generation = max(last + 1, part.last_generation) if header is None else header.last_generation
                if last < durable or _is_damage(segment, header, last, source):
                    raise segment.report(offset, last + 1, generation, MISFIT).error()
                break
            last = header.last_generation
            segment.end += header.length
        return Part(part.entry, segment.end, last), crc32c(segment.memory[: segment.end])
    finally:
        file.close()


def _is_damage(segment: Segment, header: Header | None, last: int, source: FileStorage) -> bool:
    """Whether neither a crash nor a writer explains that there is no whole record at the end of what was checked.

    A crash leaves each sector of its last writes right or empty, and nothing behind them that knows them to be durable,
    as recovery judges it. Where a writer was at work while it was copied, there are other bytes by now, since the copy
    was made durable in between.
    """
    if header is None:
        end, is_wrong = segment.end + SECTOR_BYTES, begins_nonzero(segment, segment.end)
    else:
        end = header.end
        is_wrong = _core.torn_sectors(segment.view, header.position, segment.salt, end) >= 0
    if not is_wrong:
        is_wrong = any(later.synced_generation > last for later in segment.later_headers(segment.end))
    return is_wrong and _is_unchanged(segment, end, source)


def _is_unchanged(segment: Segment, end: int, source: FileStorage) -> bool:
    """Whether the bytes behind the end of a copied segment, up to `end`, are still the same in its source."""
    reader = source.descriptor(segment.name, os.O_RDONLY)
    try:
        for offset in range(segment.end, end, _CHUNK_BYTES):
            stop = min(end, offset + _CHUNK_BYTES)
            if os.pread(reader, stop - offset, offset) != segment.memory[offset:stop]:
                return False
    finally:
        os.close(reader)
    return True


def check_backed(storage: FileStorage, name: str, backed: BackedSegment) -> None:
    """Read a file of a backup, and check that it is as it was written.

    Raises
    ------
    CorruptData
        If the file is missing or not as it was written.
    OSError
        If the file cannot be read.
    """
    try:
        descriptor = storage.descriptor(name, os.O_RDONLY)
    except FileNotFoundError:
        raise mismatch(name, backed, None) from None
    try:
        nbytes, crc = 0, 0
        while data := os.pread(descriptor, _CHUNK_BYTES, nbytes):
            crc = crc32c(data, crc)
            nbytes += len(data)
    finally:
        os.close(descriptor)
    if (nbytes, crc) != (backed.end, backed.crc):
        raise mismatch(name, backed, (nbytes, crc))


def mismatch(name: str, backed: BackedSegment, found: tuple[int, int] | None) -> CorruptData:
    """Return the error for a file of a backup that is not as it was written.

    Parameters
    ----------
    name
        Name of the file.
    backed
        The description of the content that was written.
    found
        The size in bytes and the CRC32C of the file, or None if it is missing.
    """
    if found is None:
        return CorruptData(f"segments/{name} is missing from the backup", code="corrupt_backup", field=name)
    return CorruptData(
        f"segments/{name} is damaged: its {found[0]} bytes have the checksum {found[1]:08x} where {backed.end} bytes "
        f"with {backed.crc:08x} were written",
        code="corrupt_backup",
        field=name,
        limit=backed.end,
        value=found[0],
    )


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _forget_pages(descriptor: int) -> None:
    """Drop the cached pages of a file, so that it is next read from the disk, if the system supports that."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

"""Copying of one log into a backup that may already hold a part of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from engram.errors import FailedPrecondition
from engram.log.damage import Damages
from engram.log.files.file_storage import FileStorage
from engram.log.manifest import Manifest, SegmentEntry
from engram.log.records.sectors import SECTOR_BYTES
from engram.maintenance.backups.backup_file import BackedSegment, BackedSpace
from engram.maintenance.backups.copied_segment import check_copy, copy_part
from engram.maintenance.backups.whole_prefix import Part, whole_prefix

_TEMPORARY: Final = "copying"


def back_up_log(
    log: FileStorage,
    manifest: Manifest,
    segments: FileStorage,
    earlier: BackedSpace | None,
    done: dict[SegmentEntry, BackedSegment],
    damages: Damages,
    on_bytes: Callable[[int], None],
) -> tuple[BackedSpace, int]:
    """Copy what is new in a log, and check every copied byte.

    Parameters
    ----------
    log, manifest
        The directory of the log, and the manifest as it was last read.
    segments
        The directory of all segments in the backup.
    earlier
        The copy of the space that the backup already holds; None if it holds none.
    done
        The segments that an attempt before this one has copied, which receives further ones.
    damages
        Object that receives reports of damage.
    on_bytes
        Function that receives the number of bytes of each copied piece.

    Returns
    -------
    tuple[BackedSpace, int]
        What the backup is to hold of the space, and the number of its bytes that were copied.

    Raises
    ------
    CorruptData
        If something is damaged. The backup must then keep what it already holds of the space, and nothing else of it.
    FailedPrecondition
        If the backup has more generations than the log.
    NewerFormat
        If a newer version of Engram wrote a part of the log.
    OSError
        If the log cannot be read or the backup cannot be written.
    """
    parts = whole_prefix(log, manifest, damages)
    known = {} if earlier is None else {segment.entry.epoch: segment for segment in earlier.segments}
    # The last segment of the earlier backup is copied again: a failed write to it may have been undone since.
    sealed = {epoch for epoch in known if epoch != max(known)}
    backed: list[BackedSegment] = []
    last, copied = 0, 0
    for part in parts:
        there = known.get(part.entry.epoch)
        if there is not None and there.entry == part.entry and there.end == part.end and part.entry.epoch in sealed:
            backed.append(there)
            last = part.last_generation
            continue
        before = done.get(part.entry)
        if before is not None and before.end == part.end:
            backed.append(before)
            last, copied = part.last_generation, copied + before.end
            continue
        copy_part(log, part, segments, _TEMPORARY, on_bytes)
        whole, crc = check_copy(segments, _TEMPORARY, part, last, _durable(manifest, parts, part), damages, log)
        last = whole.last_generation
        if part.entry.format == 1 or whole.end > SECTOR_BYTES:
            segment = BackedSegment(part.entry, whole.end, crc)
            if segment == there:
                segments.remove(_TEMPORARY)
            else:
                _keep(segments, whole, segment.file_name(manifest.identity.space))
                copied += whole.end
                if part is not parts[-1] and whole.end == part.end:
                    # The log goes on elsewhere, so this does not change any more.
                    done[part.entry] = segment
            backed.append(segment)
        if whole.end < part.end:
            break
    if earlier is not None and last < earlier.generation:
        raise FailedPrecondition(
            f"the log ends with generation {last}, but the backup has {earlier.generation}: the data directory is "
            "older; back it up to a new directory",
            code="newer_directory",
            field="space",
            limit=earlier.generation,
            value=last,
        )
    return BackedSpace(manifest.identity, manifest.settings, last, 0, tuple(backed), manifest.erasing), copied


def _durable(manifest: Manifest, parts: list[Part], part: Part) -> int:
    """Return the generation up to which the bytes of a part must be intact.

    If the log continues in another segment, that is all of the part.
    """
    return manifest.mark.generation if part is parts[-1] else part.last_generation


def _keep(segments: FileStorage, part: Part, name: str) -> None:
    """Give a copy its final name, durably, and cut off what lies behind its last intact record."""
    descriptor = segments.descriptor(_TEMPORARY, os.O_RDWR)
    try:
        os.ftruncate(descriptor, part.end)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    segments.rename(_TEMPORARY, name)

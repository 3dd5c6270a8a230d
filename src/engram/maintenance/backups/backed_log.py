"""One log, copied into a backup that may hold some of it already."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from engram.errors import FailedPrecondition
from engram.log.damage import Damages
from engram.log.files.file_storage import FileStorage
from engram.log.manifest import Manifest
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
    damages: Damages,
    on_bytes: Callable[[int], None],
) -> tuple[BackedSpace, int]:
    """Copy what is new in a log, and check every copied byte.

    Parameters
    ----------
    log, manifest
        The log, and what was read of it last.
    segments
        The directory of all segments in the backup.
    earlier
        What the backup holds of the space.
    damages
        Where damage is reported.
    on_bytes
        Told how many bytes were copied.

    Returns
    -------
    tuple
        What the backup is to hold of the space, and how many bytes of it were copied.

    Raises
    ------
    CorruptData
        If something is damaged; nothing of the space is to be in the backup then but what was there.
    FailedPrecondition
        If the backup has more than the log.
    OSError
        If the one cannot be read or the other not written.
    """
    parts = whole_prefix(log, manifest, damages)
    known = {} if earlier is None else {segment.entry.epoch: segment for segment in earlier.segments}
    # What was the last segment of the log then may have had a failed write undone since.
    sealed = {epoch for epoch in known if epoch != max(known)}
    backed: list[BackedSegment] = []
    last, copied = 0, 0
    for part in parts:
        there = known.get(part.entry.epoch)
        if there is not None and there.entry == part.entry and there.end == part.end and part.entry.epoch in sealed:
            backed.append(there)
            last = part.last_generation
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
    return BackedSpace(manifest.identity, manifest.settings, last, 0, tuple(backed)), copied


def _durable(manifest: Manifest, parts: list[Part], part: Part) -> int:
    """Up to which generation the bytes of a part must be whole: all of it, if the log went on in another segment."""
    return manifest.mark.generation if part is parts[-1] else part.last_generation


def _keep(segments: FileStorage, part: Part, name: str) -> None:
    """Give a copy its name, durably, without what lies behind its last whole record."""
    descriptor = segments.descriptor(_TEMPORARY, os.O_RDWR)
    try:
        os.ftruncate(descriptor, part.end)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    segments.rename(_TEMPORARY, name)

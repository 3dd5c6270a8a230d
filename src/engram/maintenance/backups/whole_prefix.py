"""The intact beginning of a log that a process may be writing, in each of its segments."""

from __future__ import annotations

from typing import NamedTuple

from engram.errors import CorruptData
from engram.log.damage import Damages
from engram.log.files.storage import Storage
from engram.log.identity import Identity
from engram.log.manifest import Manifest, SegmentEntry
from engram.log.records.sectors import SECTOR_BYTES
from engram.log.segments.segment import Segment, segment_name
from engram.log.segments.segment_header import read_segment_header
from engram.maintenance.found_segments import headers_in, mapped, segments_in


class Part(NamedTuple):
    """The part of a log that lies in one segment.

    Parameters
    ----------
    entry
        The segment's entry in the manifest.
    end
        Offset where the part ends, in bytes: behind its last record; behind the sector that follows if that is neither
        a record nor empty; for format 1 at the end of the file. Whether such a sector is damage can be told only a
        moment later: a writer may be about to fill it.
    last_generation
        The last generation of the last record.
    """

    entry: SegmentEntry
    end: int
    last_generation: int


def whole_prefix(storage: Storage, manifest: Manifest, damages: Damages) -> list[Part]:
    """Return the parts of a log, judged by its record headers alone. Each byte is checked once it has been copied.

    What a writer may be about to write is not taken for damage. Records behind the manifest's mark are part of the log
    as far as they follow each other.

    Parameters
    ----------
    storage
        The directory of the log.
    manifest
        The manifest as it was last read.
    damages
        Object that receives reports of damage.

    Raises
    ------
    CorruptData
        If something that the manifest or a later record says was durable is missing or broken, or if there is a
        segment that the manifest does not list.
    NewerFormat
        If a newer version of Engram wrote one of the segments.
    FileNotFoundError
        If a segment is missing: the writer may have removed it since, or it may be lost.
    OSError
        If a segment cannot be read.
    """
    _look_at_strangers(storage, manifest, damages)
    segments = [_opened(storage, entry, manifest.identity, damages) for entry in manifest.segments]
    firsts = [segment.header_at(segment.begin) for segment in segments]
    parts: list[Part] = []
    last = 0
    for number, (segment, entry) in enumerate(zip(segments, manifest.segments, strict=True)):
        later = [first.previous_generation for first in firsts[number + 1 :] if first is not None]
        limit = later[0] if later else None
        if entry.format == 1:
            parts.append(Part(entry, entry.nbytes, entry.last_generation))
            last = entry.last_generation
        else:
            last = _walk(segment, last, limit)
            end = segment.end
            if limit is None:
                proven = _durable_behind(segment)
                if proven > last:
                    raise _lost(segment, last, proven, manifest)
                end += SECTOR_BYTES if begins_nonzero(segment, end) else 0
            if end > segment.begin:
                parts.append(Part(entry, end, last))
        if limit is not None and last != limit:
            raise _lost(segment, last, limit, manifest)
    if last < manifest.mark.generation:
        raise _lost(segments[-1] if segments else None, last, manifest.mark.generation, manifest)
    return parts


def _opened(storage: Storage, entry: SegmentEntry, identity: Identity, damages: Damages) -> Segment:
    segment = Segment(entry.epoch, mapped(storage, entry.name), entry.salt, damages, entry.format, entry.revision)
    if segment.file.size != entry.nbytes:
        what = f"the file has {segment.file.size} bytes where it was made with {entry.nbytes}"
        raise segment.report(min(segment.file.size, entry.nbytes), 0, 0, what).error("truncated_segment")
    if entry.format == 1:
        return segment
    header = read_segment_header(segment.memory, segment.name)
    if header is None:
        raise segment.report(0, 0, 0, "its first sector does not fit its checksum").error()
    if (header.salt, header.epoch, header.identity.space) != (entry.salt, entry.epoch, identity.space):
        raise segment.report(0, 0, 0, "it is a segment of another place, space or time").error("foreign_segment")
    return segment


def _look_at_strangers(storage: Storage, manifest: Manifest, damages: Damages) -> None:
    """Refuse segments that the manifest does not list, as recovery does, but not those that a writer has just added."""
    listed = {entry.name for entry in manifest.segments}
    for epoch, revision in segments_in(storage, manifest):
        if segment_name(epoch, revision) in listed:
            continue
        try:
            segment = Segment(epoch, mapped(storage, segment_name(epoch, revision)), 0, damages, revision=revision)
        except FileNotFoundError:
            # It was never used, and its writer has removed it.
            continue
        # One that holds nothing is only being made. A writer lists it before anything else is written to it, so one
        # that holds something is listed by now, unless it is a stranger.
        if segment.nonzero_from(segment.begin) >= 0 and not _is_listed(segment.name, manifest):
            raise _stranger(segment, manifest)


def _is_listed(name: str, manifest: Manifest) -> bool:
    """Whether the manifest lists a segment as it is now on the disk."""
    return any(entry.name == name for entry in Manifest.read(manifest.storage, "").segments)


def _stranger(segment: Segment, manifest: Manifest) -> CorruptData:
    header = read_segment_header(segment.memory, segment.name)
    if header is not None and header.identity.space == manifest.identity.space:
        what = "the space's manifest does not know it, so the manifest is older or was cut"
        return segment.report(0, 0, 0, what).error("corrupt_log")
    return segment.report(0, 0, 0, "it does not belong to this space").error("foreign_segment")


def _walk(segment: Segment, last: int, limit: int | None) -> int:
    """Set the segment's `end` behind its last record, and return that record's last generation."""
    while (header := segment.header_at(segment.end)) is not None:
        if header.previous_generation != last or (limit is not None and header.last_generation > limit):
            break
        last = header.last_generation
        segment.end += header.length
    return last


def begins_nonzero(segment: Segment, position: int) -> bool:
    """Whether anything was written to the sector at `position`."""
    return 0 <= segment.nonzero_from(position) < position + SECTOR_BYTES


def _durable_behind(segment: Segment) -> int:
    """Up to which generation records behind the end of a segment prove that everything was durable; 0 without any."""
    if segment.nonzero_from(segment.end) < 0:
        return 0
    proven = max((header.synced_generation for header in segment.later_headers(segment.end)), default=0)
    # A writer may have gone on meanwhile. What a later record knows to be durable was there before it, so it is there
    # now that the later one was seen, unless it was damaged.
    return proven if segment.header_at(segment.end) is None else 0


def _lost(segment: Segment | None, last: int, durable: int, manifest: Manifest) -> CorruptData:
    what = f"the record of generation {last + 1} is broken or missing, but everything up to {durable} was durable"
    if segment is None:
        return CorruptData(f"{manifest.storage.path}: {what}", code="corrupt_log")
    # Report the whole range of lost generations, not only where reading ended.
    later = [header for header in headers_in(segment) if header.position >= segment.end]
    return segment.report(segment.end, last + 1, later[0].previous_generation if later else durable, what).error()

"""The intact beginning of a log that a process may be writing, in each of its segments."""

from __future__ import annotations

from typing import NamedTuple

from engram.errors import CorruptData
from engram.log.damage import Damages
from engram.log.files.storage import Storage
from engram.log.identity import Identity
from engram.log.manifest import Manifest, SegmentEntry
from engram.log.segments.segment import Segment, segment_name
from engram.log.segments.segment_header import read_segment_header
from engram.maintenance.found_segments import headers_in


class Part(NamedTuple):
    """The part of a log that lies in one segment.

    Parameters
    ----------
    entry
        The segment's entry in the manifest.
    end
        Offset where the part ends, in bytes: behind its last record, or for format 1 at the end of the file.
    last_generation
        The last generation of that record.
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
        If something that the manifest says was durable is missing or broken, or if a segment is not the listed one.
    NewerFormat
        If a newer version of Engram wrote one of the segments.
    FileNotFoundError
        If a segment is missing: the writer may have removed it since, or it may be lost.
    OSError
        If a segment cannot be read.
    """
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
            before = last
            last = _walk(segment, last, limit)
            if last > before:
                parts.append(Part(entry, segment.end, last))
        segment.file.close()
        if limit is not None and last != limit:
            raise _lost(segment, last, limit, manifest)
    if last < manifest.mark.generation:
        raise _lost(segments[-1] if segments else None, last, manifest.mark.generation, manifest)
    return parts


def _opened(storage: Storage, entry: SegmentEntry, identity: Identity, damages: Damages) -> Segment:
    segment = Segment(entry.epoch, storage.open(segment_name(entry.epoch)), entry.salt, damages, entry.format)
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


def _walk(segment: Segment, last: int, limit: int | None) -> int:
    """Set the segment's `end` behind its last record, and return that record's last generation."""
    while (header := segment.header_at(segment.end)) is not None:
        if header.previous_generation != last or (limit is not None and header.last_generation > limit):
            break
        last = header.last_generation
        segment.end += header.length
    return last


def _lost(segment: Segment | None, last: int, durable: int, manifest: Manifest) -> CorruptData:
    what = f"the record of generation {last + 1} is broken or missing, but everything up to {durable} was durable"
    if segment is None:
        return CorruptData(f"{manifest.storage.path}: {what}", code="corrupt_log")
    # Report the whole range of lost generations, not only where reading ended.
    later = [header for header in headers_in(segment) if header.position >= segment.end]
    return segment.report(segment.end, last + 1, later[0].previous_generation if later else durable, what).error()

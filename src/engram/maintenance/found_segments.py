"""The segments of a log that may be damaged: those that provably belong to it, and reports about the others."""

from __future__ import annotations

from collections import Counter

import numpy as np
from crc32c import crc32c

from engram.log.damage import Damages
from engram.log.files.os_errors import is_passing
from engram.log.files.storage import Storage, StorageFile
from engram.log.format1.records import ALIGNMENT
from engram.log.format1.records import MAGIC as MAGIC1
from engram.log.identity import Identity
from engram.log.manifest import Manifest, SegmentEntry
from engram.log.records.header import MAGIC, Header, RecordKind
from engram.log.records.sectors import SECTOR_BYTES
from engram.log.segments.segment import LOG_DIRECTORY, Segment, segment_name, segment_of
from engram.log.segments.segment_header import SegmentHeader, read_segment_header
from engram.maintenance.repairs.padded_file import PaddedFile


def segments_in(storage: Storage, manifest: Manifest | None) -> list[tuple[int, int]]:
    """Return number and revision of the segments whose files are in the directory of a log, ascending.

    What a compaction has left behind is left out. Without a manifest, a compacted segment is taken for complete if it
    ends as one does.
    """
    there = sorted(number for name in storage.names() if (number := segment_of(name)) is not None)
    if manifest is not None:
        left = set(manifest.left_behind(there))
        return [one for one in there if one not in left]
    for epoch, revision in there:
        first_epoch = _first_epoch_if_whole(storage, epoch, revision) if revision else 0
        if first_epoch:
            there = [one for one in there if not first_epoch <= one[0] <= epoch or one == (epoch, revision)]
        elif revision:
            there = [one for one in there if one != (epoch, revision)]
    return there


def _first_epoch_if_whole(storage: Storage, epoch: int, revision: int) -> int:
    """Return the lowest number of the segments that a compacted one replaces; 0 if it was not written to its end."""
    try:
        file = mapped(storage, segment_name(epoch, revision))
    except OSError:
        return 0
    header = read_segment_header(file.view().data, segment_name(epoch, revision))
    if header is None:
        return 0
    segment = Segment(epoch, file, header.salt, Damages(), revision=revision)
    records = headers_in(segment)
    is_whole = bool(records) and records[-1].kind == RecordKind.PROGRESS and segment.damage_in(records[-1]) < 0
    return header.first_epoch if is_whole else 0


def mapped(storage: Storage, name: str) -> StorageFile:
    """Return the file of a segment, mapped and closed: no descriptor stays open, whatever happens.

    Raises
    ------
    OSError
        If it is not there or cannot be read.
    """
    file = storage.open(name)
    file.close()
    return file


def identity_in(storage: Storage) -> Identity | None:
    """Return the identity that most segments in the directory of a log name, or None if no segment names one.

    The incarnation is that of the newest of these segments.
    """
    found: Counter[tuple[str, str]] = Counter()
    newest: dict[tuple[str, str], Identity] = {}
    for number in segments_in(storage, None):
        try:
            file = mapped(storage, segment_name(*number))
        except OSError:
            continue
        header = read_segment_header(file.view().data, segment_name(*number))
        if header is not None:
            found[header.identity[:2]] += 1
            newest[header.identity[:2]] = header.identity
    return newest[found.most_common(1)[0][0]] if found else None


def find_segments(
    storage: Storage, manifest: Manifest | None, space_id: str, damages: Damages
) -> tuple[list[Segment], int]:
    """Return the segments of a space, in order, and the highest number of a segment that is lost, 0 for none.

    Everything that is wrong with a segment is reported.

    Parameters
    ----------
    storage
        The directory of the log.
    manifest
        The space's manifest; None if it is lost, or for a space of format 1.
    space_id
        Id of the space; empty for a space of format 1.
    damages
        Object that receives reports of damage.

    Raises
    ------
    NewerFormat
        If a newer version of Engram wrote one of the segments.
    """
    listed = manifest.segments if manifest is not None else ()
    entries = {(entry.epoch, entry.revision): entry for entry in listed}
    there = set(segments_in(storage, manifest))
    segments = []
    lost_epoch = 0
    for epoch, revision in sorted(there | entries.keys()):
        name = f"{LOG_DIRECTORY}/{segment_name(epoch, revision)}"
        if (epoch, revision) not in there:
            damages.report(name, 0, 0, 0, "the file is missing")
            lost_epoch = epoch
            continue
        try:
            file = mapped(storage, segment_name(epoch, revision))
        except OSError as error:
            if is_passing(error):
                raise
            damages.report(name, 0, 0, 0, f"the file cannot be read: {error.strerror or error}")
            lost_epoch = epoch
            continue
        entry = entries.get((epoch, revision))
        if entry is not None:
            segment = _listed(file, entry, space_id, damages)
        else:
            segment = _unlisted(file, epoch, revision, manifest, space_id, damages)
        if segment is not None:
            segments.append(segment)
        # A first sector of zeros may mean that zeros have replaced the whole content, so the segment may be lost, too.
        is_emptied = segment is not None and not segment.view[:SECTOR_BYTES].any()
        if is_emptied or (segment is None and (entry is not None or manifest is None)):
            lost_epoch = epoch
    return segments, lost_epoch


def _listed(file: StorageFile, entry: SegmentEntry, space_id: str, damages: Damages) -> Segment | None:
    segment = _sized(file, entry, damages)
    if entry.format == 1:
        return segment if _is_listed1(segment, entry) else None
    header = _header_of(segment)
    if header is None:
        segment.report(0, 0, 0, "its first sector does not fit its checksum")
    elif (header.salt, header.epoch, header.identity.space) != (entry.salt, entry.epoch, space_id):
        segment.report(0, 0, 0, "it is a segment of another place, space or time")
        return None
    return segment


def _sized(file: StorageFile, entry: SegmentEntry, damages: Damages) -> Segment:
    """Return the segment in a file. A file that was cut is padded with zeros."""
    size, nbytes = file.size, entry.nbytes
    content = PaddedFile(file, nbytes) if size < nbytes else file
    segment = Segment(entry.epoch, content, entry.salt, damages, entry.format, entry.revision)
    if size != nbytes:
        segment.report(min(size, nbytes), 0, 0, f"the file has {size} bytes where it was made with {nbytes}")
    return segment


def _is_listed1(segment: Segment, entry: SegmentEntry) -> bool:
    """Return whether a format 1 file, which does not name its owner, is the listed one or a damaged form of it."""
    if crc32c(segment.memory) == entry.crc:
        return True
    headers = headers_in(segment)
    broken = any(segment.damage_in(header) >= 0 for header in headers) or _has_holes(segment, headers)
    is_itself = broken and segment.file.size == entry.nbytes
    what = "it is not as it was when this directory became format 2"
    segment.report(0, 0, 0, what if is_itself else f"{what}, and seems to be another file")
    return is_itself


def _has_holes(segment: Segment, headers: list[Header]) -> bool:
    ends = [segment.begin, *(header.end for header in headers)]
    begins = [*(header.position for header in headers), ends[-1]]
    return ends != begins or segment.nonzero_from(ends[-1] - ends[-1] % SECTOR_BYTES + SECTOR_BYTES) >= 0


def _unlisted(
    file: StorageFile, epoch: int, revision: int, manifest: Manifest | None, space_id: str, damages: Damages
) -> Segment | None:
    segment = Segment(epoch, file, 0, damages, revision=revision)
    header = _header_of(segment)
    if header is not None:
        if segment.nonzero_from(segment.begin) < 0:
            # The segment was prepared and never written to.
            return segment
        if header.identity.space != space_id or header.epoch != epoch:
            segment.report(0, 0, 0, "it does not belong to this space")
            return None
        if manifest is not None:
            segment.report(0, 0, 0, "the space's manifest does not know it, so the manifest is older or was cut")
        known = SegmentEntry(epoch, header.nbytes, 2, header.salt, first_epoch=header.first_epoch, revision=revision)
        return _sized(file, known, damages)
    if segment.nonzero_from(0) < 0:
        return None
    old = Segment(epoch, file, 0, damages, format=1)
    # A format 1 segment does not name its owner, so it is accepted only if there is no manifest that lists the files.
    if manifest is None and headers_in(old):
        return old
    segment.report(0, 0, 0, "nothing shows whose segment it is, so nothing in it can be checked")
    return None


def _header_of(segment: Segment) -> SegmentHeader | None:
    return read_segment_header(segment.memory, segment.name)


def headers_in(segment: Segment) -> list[Header]:
    """Return all valid record headers, in the order of the file, including those behind damage.

    Raises
    ------
    NewerFormat
        If a newer version of Engram wrote one of the records.
    """
    step, magic = (SECTOR_BYTES, MAGIC) if segment.format > 1 else (ALIGNMENT, MAGIC1)
    candidates: list[int] | None = None
    found: list[Header] = []
    position = segment.begin
    while position + step <= len(segment.view):
        header = segment.header_at(position)
        if header is not None and header.length > 0:
            found.append(header)
            position = header.end
            continue
        if candidates is None:
            if segment.nonzero_from(position - position % SECTOR_BYTES) < 0:
                break
            candidates = _places_of(segment, magic, step)
        position = next((place for place in candidates if place > position), len(segment.view))
    return found


def _places_of(segment: Segment, magic: bytes, step: int) -> list[int]:
    """Return the offsets where a record may begin, ascending."""
    whole = len(segment.view) - len(segment.view) % step
    words = np.frombuffer(segment.memory[:whole], np.uint32)[:: step // 4]
    places: list[int] = (step * np.flatnonzero(words == int.from_bytes(magic, "little"))).tolist()
    return places

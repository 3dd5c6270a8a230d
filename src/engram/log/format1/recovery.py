"""Recovery of format 1 logs. All bytes are read and checked, because there is only one checksum per record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from crc32c import crc32c

from engram.errors import CorruptData
from engram.log.damage import Damages
from engram.log.files.storage import Storage
from engram.log.format1.opening_sums import OpeningSums
from engram.log.format1.records import ALIGNMENT, HEADER_BYTES, MAGIC, Header1, payload_is_whole1, read_header1
from engram.log.manifest import SegmentEntry
from engram.log.records.header import Header
from engram.log.records.record import Record
from engram.log.records.sectors import SECTOR_BYTES
from engram.log.recovered_log import RecoveredLog
from engram.log.segments.segment import Segment, segment_name, segment_of
from engram.log.torn_tail import corrupt, drop_unfinished

_MAGIC_WORD = int.from_bytes(MAGIC, "little")


def recover1(storage: Storage, dim: int, damages: Damages) -> RecoveredLog:
    """Read a format 1 log that no manifest lists yet.

    Parameters
    ----------
    storage
        The directory of the log.
    dim
        Dimension of the vectors.
    damages
        Object that receives reports of damage.

    Raises
    ------
    CorruptData
        If durable records are broken or missing, a segment was cut, or the vectors have another dimension. The error
        names the file and the offset.
    OSError
        If the storage cannot be read.
    """
    log = RecoveredLog()
    epochs = sorted(number[0] for name in storage.names() if (number := segment_of(name)) is not None)
    log.last_epoch = epochs[-1] if epochs else 0
    try:
        for epoch in epochs:
            segment = Segment(epoch, storage.open(segment_name(epoch)), 0, damages, format=1)
            log.segments.append(segment)
            first = read_header1(segment.memory, 0, epoch)
            if first is None and segment.nonzero_from(0) < 0:
                # The segment was prepared and never used. It will not be used any more, because new segments have
                # format 2.
                log.segments.remove(segment)
                segment.file.close()
                log.leftovers.append(segment.name)
                continue
            if first is not None and first.header.first_generation != log.last_generation + 1:
                raise _gap(log, segment, first.header)
            log.records += list(_scan(segment, log.last_generation + 1, dim))
        if log.segments:
            _judge_tail(log, log.segments[-1])
    except BaseException:
        log.close()
        raise
    return log


def entries_of(segments: Sequence[Segment], records: Sequence[Record]) -> list[SegmentEntry]:
    """Return the manifest entries of format 1 segments, given the `records` that were read from them."""
    last_generations: dict[int, int] = {}
    for record in records:
        last_generations[record.segment.epoch] = record.last_generation
    entries = []
    before = 0
    for segment in segments:
        # A segment that holds only the remains of a crash ends with the same generation as the segment before it.
        before = last_generations.get(segment.epoch, before)
        crc = crc32c(segment.memory)
        entries.append(SegmentEntry(segment.epoch, len(segment.view), 1, 0, crc, segment.end, before))
    return entries


def open_listed1(segment: Segment, entry: SegmentEntry, last_generation: int) -> list[Record]:
    """Return the records of a format 1 segment that the manifest lists. The whole file is checked.

    Parameters
    ----------
    segment
        The segment.
    entry
        The entry of the segment in the manifest.
    last_generation
        The last generation of the segment before it.

    Raises
    ------
    CorruptData
        If the file is not the one that was listed, or its records do not reach the listed generation.
    """
    segment.opening_sums = OpeningSums(segment.memory)
    if crc32c(segment.memory) != entry.crc:
        raise corrupt(segment.name, 0, "the file is not the one that was there when this directory became format 2")
    records: list[Record] = []
    while segment.end < entry.end and (header := segment.header_at(segment.end)) is not None:
        if header.first_generation != last_generation + 1:
            break
        records.append(Record(segment, header))
        last_generation = header.last_generation
        segment.end += header.length
    if last_generation != entry.last_generation:
        raise corrupt(segment.name, segment.end, f"the log ends there, but {entry.last_generation} was durable")
    return records


def _scan(segment: Segment, next_generation: int, dim: int) -> Iterator[Record]:
    """Yield the records that continue the log at `next_generation`, and set the segment's `end` behind them."""
    segment.end = 0
    while (found := read_header1(segment.memory, segment.end, segment.epoch)) is not None:
        header = found.header
        if header.first_generation != next_generation:
            return
        _check_origin(segment, found, dim)
        if not payload_is_whole1(segment.memory, found):
            return
        next_generation = header.last_generation + 1
        segment.end += header.length
        yield Record(segment, header)


def _check_origin(segment: Segment, found: Header1, dim: int) -> None:
    nbytes = len(segment.view)
    if found.segment_bytes != nbytes:
        raise CorruptData(
            f"{segment.name} has {nbytes} bytes where its records say {found.segment_bytes}: it was cut at "
            f"offset {nbytes}",
            code="truncated_segment",
            field=segment.name,
            limit=found.segment_bytes,
            value=nbytes,
        )
    if found.header.dim != dim:
        raise CorruptData(
            f"{segment.name} holds vectors of dimension {found.header.dim} at offset {found.header.position} where "
            f"the space has {dim}",
            field=segment.name,
            limit=dim,
            value=found.header.dim,
        )


def _gap(log: RecoveredLog, segment: Segment, first: Header) -> CorruptData:
    """Return the error for a segment whose first record does not continue the log."""
    earlier = log.segments[-2] if len(log.segments) > 1 else segment
    return corrupt(
        earlier.name,
        earlier.end,
        f"generation {log.last_generation + 1} is broken or missing there, and {segment.name} continues with "
        f"{first.first_generation}",
    )


def _judge_tail(log: RecoveredLog, last: Segment) -> None:
    """Drop an unfinished write behind the last record, or raise `CorruptData` if a crash does not explain it."""
    if last.nonzero_from(last.end - last.end % 512) < 0 or not last.view[last.end :].any():
        return
    lost = log.last_generation + 1
    start = bytes(last.memory[last.end : last.end + len(MAGIC)])
    # A torn write leaves each byte zero or as it should be. Any other byte cannot come from this log.
    if any(found not in (0, meant) for found, meant in zip(start, MAGIC, strict=False)):
        raise corrupt(last.name, last.end, f"the record of generation {lost} should begin there, but {start!r} does")
    if not _may_be_torn(last):
        raise corrupt(
            last.name,
            last.end,
            f"the record of generation {lost} does not fit its checksum, and an unfinished write leaves zeros in it",
        )
    drop_unfinished(log, last, _later_headers(last))


def _may_be_torn(last: Segment) -> bool:
    """Return whether some sector of the broken record at the end was not written, as far as its length is known."""
    found = read_header1(last.memory, last.end, last.epoch)
    stop = min(last.end + (HEADER_BYTES if found is None else found.header.length), len(last.view))
    starts = [last.end, *range(last.end + -last.end % SECTOR_BYTES, stop, SECTOR_BYTES)]
    parts = zip(starts, [*starts[1:], stop], strict=True)
    return any(start < end and not last.view[start:end].any() for start, end in parts)


def _later_headers(segment: Segment) -> Iterator[Header]:
    words = np.frombuffer(segment.memory, np.uint32, (len(segment.view) - segment.end) // 4, segment.end)
    candidates = segment.end + ALIGNMENT * np.flatnonzero(words[:: ALIGNMENT // 4] == _MAGIC_WORD)
    for position in candidates.tolist():
        found = read_header1(segment.memory, position, segment.epoch)
        if found is not None:
            yield found.header

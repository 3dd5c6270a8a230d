"""Recovery of a log when it is opened: it returns every durable record, and nothing that never was a record.

A crash may leave the last writes torn: each of their sectors is either right or still zero, in any order. Recovery
drops such writes, because nothing in them was acknowledged. Anything else that is broken is damage. A log that does not
reach as far as its manifest says is damaged, too. A record that provably was durable is part of the log whatever is
damaged behind its header: that is reported here, and met again by whoever reads it. Nothing is repaired, deleted or
overwritten. The rule is our own, see docs/decisions/0013-every-byte-is-checked.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from engram import _core
from engram.errors import CorruptData
from engram.log.damage import Damages
from engram.log.files.storage import Storage
from engram.log.format1.recovery import open_listed1
from engram.log.manifest import Manifest, Mark, SegmentEntry
from engram.log.records.header import Header, RecordKind
from engram.log.records.record import Record
from engram.log.records.sectors import SECTOR_BYTES
from engram.log.recovered_log import RecoveredLog
from engram.log.segments.segment import MISFIT, Segment, check_size, segment_of
from engram.log.segments.segment_header import read_segment_header
from engram.log.torn_tail import corrupt, drop_unfinished


def recover(storage: Storage, manifest: Manifest, dim: int, trusted_generation: int, damages: Damages) -> RecoveredLog:
    """Read the log on `storage`.

    Parameters
    ----------
    storage
        The directory of the log.
    manifest
        The space's manifest, which lists the segments and says how far the log reached.
    dim
        Dimension of the vectors.
    trusted_generation
        The generation that a checkpoint covers. Of the records up to it only the headers are checked here. Each of
        their other bytes is checked when it is read.
    damages
        Object that receives reports of damage that does not keep the log from being read.

    Raises
    ------
    CorruptData
        If durable records are missing or their headers are broken, if anything else is broken that is neither durable
        nor a crash's, or if files do not belong to this log. The error names the file and the offset.
    NewerFormat
        If a newer version of Engram wrote a part of the log.
    OSError
        If the storage cannot be read.
    """
    log = RecoveredLog()
    try:
        found = {name: number for name in storage.names() if (number := segment_of(name)) is not None}
        log.last_epoch = max((epoch for epoch, _ in found.values()), default=0)
        _look_at_strangers(log, storage, manifest, found)
        _open_segments(log, storage, manifest, found, damages)
        _read_segments(log, dim, manifest.mark, trusted_generation)
        _check_reaches(log, manifest.mark, trusted_generation)
        _check_was_readable([*log.segments, *log.blanks])
    except BaseException:
        log.close()
        raise
    return log


def _look_at_strangers(
    log: RecoveredLog, storage: Storage, manifest: Manifest, found: dict[str, tuple[int, int]]
) -> None:
    """Refuse segments that are not listed, unless an interrupted compaction or creation left them.

    Whatever a compaction leaves is in a segment that is listed, too.
    """
    listed = {entry.name for entry in manifest.segments}
    left = set(manifest.left_behind(found.values()))
    for name in sorted(found.keys() - listed):
        epoch, revision = found[name]
        if (epoch, revision) in left:
            log.leftovers.append(name)
            continue
        segment = Segment(epoch, storage.open(name), 0, Damages(), revision=revision)
        segment.file.close()
        header = read_segment_header(segment.memory, segment.name)
        is_blank = segment.nonzero_from(segment.begin if header is not None else 0) < 0
        _check_was_readable([segment])
        if is_blank:
            # The creation of the segment was interrupted before the manifest listed it.
            log.leftovers.append(segment.name)
        elif header is not None and header.identity.space == manifest.identity.space:
            raise corrupt(segment.name, 0, "the space's manifest does not know it, so the manifest is older or was cut")
        else:
            raise corrupt(segment.name, 0, "it does not belong to this space", code="foreign_segment")


def _open_segments(
    log: RecoveredLog, storage: Storage, manifest: Manifest, found: dict[str, tuple[int, int]], damages: Damages
) -> None:
    for entry in manifest.segments:
        if entry.name not in found:
            raise corrupt(entry.name, 0, "the file is missing", code="missing_segment")
        segment = Segment(entry.epoch, storage.open(entry.name), entry.salt, damages, entry.format, entry.revision)
        log.blanks.append(segment)
        check_size(segment, entry.nbytes)
        if entry.format == 1:
            log.blanks.remove(segment)
            log.segments.append(segment)
            log.records += open_listed1(segment, entry, log.last_generation)
            continue
        _check_header(segment, entry, manifest)
        if segment.nonzero_from(segment.begin) >= 0:
            # Blank segments with lower numbers are closed below: numbers rise with generations, so they cannot be used.
            log.blanks.remove(segment)
            log.segments.append(segment)
    used = max((segment.epoch for segment in log.segments), default=0)
    passed = [segment for segment in log.blanks if segment.epoch < used]
    for segment in passed:
        segment.file.close()
        log.blanks.remove(segment)


def _check_header(segment: Segment, entry: SegmentEntry, manifest: Manifest) -> None:
    """Refuse a segment whose first sector names another owner; only report a first sector that is damaged.

    A damaged first sector is no reason to refuse: the checksums of the records prove which segment they belong to.
    """
    header = read_segment_header(segment.memory, segment.name)
    if header is None:
        segment.report(0, 0, 0, "its first sector does not fit its checksum")
    elif (header.salt, header.epoch, header.identity.space) != (entry.salt, entry.epoch, manifest.identity.space):
        raise corrupt(segment.name, 0, "it is a segment of another place, space or time", code="foreign_segment")


def _read_segments(log: RecoveredLog, dim: int, mark: Mark, trusted_generation: int) -> None:
    fresh = [segment for segment in log.segments if segment.format > 1]
    limits = _limits(fresh)
    for number, (segment, limit) in enumerate(zip(fresh, limits, strict=True)):
        segment.end = segment.begin
        broken = _scan(log, segment, dim, limit, trusted_generation)
        while broken is not None and _is_durable(broken[0], segment, fresh[number + 1 :], mark):
            header, offset = broken
            segment.report(offset, header.first_generation, header.last_generation)
            _take(log, segment, header)
            broken = _scan(log, segment, dim, limit, trusted_generation)
        if limit is None:
            # Besides the last segment, this is one that is followed only by segments with the remains of a crash.
            torn = _judge_tail(log, segment, broken, mark)
            is_open = number == len(fresh) - 1 and not torn and not segment.revision
            log.last = segment if is_open else None
        elif log.last_generation != limit:
            raise corrupt(
                segment.name,
                segment.end if broken is None else broken[1],
                f"a record is broken or missing there: the log ends with generation {log.last_generation}, and the "
                f"next segment follows generation {limit}",
            )


def _limits(segments: Sequence[Segment]) -> list[int | None]:
    """Return the last generation of each segment that belongs to the log, or None if no later segment says so.

    After a crash the log continues in a new segment. The first record there names the generation that precedes it. What
    the old segment contains behind that generation is not part of the log.
    """
    limits: list[int | None] = []
    following: int | None = None
    for segment in reversed(segments):
        limits.append(following)
        first = segment.header_at(segment.begin)
        if first is not None:
            following = first.previous_generation
    return limits[::-1]


def _scan(
    log: RecoveredLog, segment: Segment, dim: int, limit: int | None, trusted_generation: int
) -> tuple[Header, int] | None:
    """Read the records that continue the log from the segment's `end` on, and move it behind them.

    Returns
    -------
    tuple[Header, int] or None
        If the next record is broken: its header, and the offset of the damage in the file.
    """
    while (header := segment.header_at(segment.end)) is not None:
        if header.previous_generation != log.last_generation or (limit is not None and header.last_generation > limit):
            return None
        _check_dim(segment, header, dim)
        offset = segment.damage_in(header) if header.last_generation > trusted_generation else -1
        if offset >= 0:
            return header, offset
        _take(log, segment, header)
    return None


def _take(log: RecoveredLog, segment: Segment, header: Header) -> None:
    """Make a record the next one of the log, and set the segment's `end` behind it."""
    records = log.progress if header.kind == RecordKind.PROGRESS else log.records
    records.append(Record(segment, header))
    segment.end = header.end


def _is_durable(header: Header, segment: Segment, following: Sequence[Segment], mark: Mark) -> bool:
    """Return whether a record provably was durable, so that no crash explains what is broken behind its header.

    Only what was written to its own segment, or begins the very next one, proves it. Segments further behind may give
    its generations to other observations, after a crash.
    """
    last = header.last_generation
    if mark.epoch == segment.epoch and mark.generation >= last:
        return True
    # A segment is synced before the next one is written.
    first = following[0].header_at(following[0].begin) if following else None
    if first is not None and first.previous_generation >= last:
        return True
    return any(later.synced_generation >= last for later in segment.later_headers(header.end))


def _check_dim(segment: Segment, header: Header, dim: int) -> None:
    if header.dim != dim:
        raise CorruptData(
            f"{segment.name} holds vectors of dimension {header.dim} at offset {header.position} where the space has "
            f"{dim}",
            field=segment.name,
            limit=dim,
            value=header.dim,
        )


def _judge_tail(log: RecoveredLog, last: Segment, broken: tuple[Header, int] | None, mark: Mark) -> bool:
    """Return whether a crash left anything behind the last record; raise `CorruptData` if it was not a crash."""
    remains = last.nonzero_from(last.end)
    if remains < 0:
        return False
    lost = log.last_generation + 1
    if mark.closed and log.last_generation <= mark.generation:
        raise corrupt(last.name, remains, "something lies behind the end that a clean stop left")
    if broken is not None:
        header, _ = broken
        offset = _core.torn_sectors(last.view, header.position, last.salt, header.end)
        if offset >= 0:
            raise corrupt(last.name, offset, f"{MISFIT}, and no unfinished write leaves such a sector")
    elif remains < last.end + SECTOR_BYTES:
        raise corrupt(last.name, last.end, f"the record of generation {lost} should begin there, and does not")
    drop_unfinished(log, last, last.later_headers(last.end))
    return True


def _check_was_readable(segments: Sequence[Segment]) -> None:
    """Refuse what rests on pages that could not be read: they look as if nothing had ever been written there."""
    for segment in segments:
        if segment.file.lost_pages:
            raise corrupt(segment.name, 0, "pages of it could not be read", code="unreadable_segment")


def _check_reaches(log: RecoveredLog, mark: Mark, trusted_generation: int) -> None:
    durable = max(mark.generation, trusted_generation)
    if log.last_generation >= durable:
        return
    name, offset = (log.segments[-1].name, log.segments[-1].end) if log.segments else ("the log", 0)
    raise corrupt(name, offset, f"the log ends there with generation {log.last_generation}, but {durable} was durable")

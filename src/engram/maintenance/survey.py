"""Which records of a log that may be damaged are part of it, and which generations are lost.

Every record says which generation the one in front of it ended with, so what is missing is known from what is left.
What a crash left behind the end of a segment must not be taken for what was lost: it was never acknowledged, and other
observations may have been given its generations. It is told from damage as recovery tells it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from engram import _core
from engram.log.damage import Damages
from engram.log.files.storage import Storage
from engram.log.format1.records import MAGIC as MAGIC1
from engram.log.manifest import Manifest, Mark
from engram.log.records.header import Header
from engram.log.records.record import Record
from engram.log.records.sectors import SECTOR_BYTES
from engram.log.segments.segment import MISFIT, Segment
from engram.maintenance.found_segments import find_segments, headers_in
from engram.maintenance.generations import GenerationRange, merged

# What a segment was read up to when the next one was begun, where the record that says it is broken.
_UNKNOWN: Final = -1


class Found(NamedTuple):
    """A record that is part of the log.

    Parameters
    ----------
    record
        It, whose header checks out.
    is_whole
        Whether every byte behind its header does, too.
    """

    record: Record
    is_whole: bool


@dataclass(slots=True)
class Survey:
    """What is left of a log.

    Parameters
    ----------
    found
        The records, generations rising.
    lost
        Generations of records that are missing, or whose headers are broken: nothing is known of their ids.
    is_cut
        Whether records are missing at the end of which not even the generations are known.
    unfinished
        Writes at the end that a crash interrupted, for a person. Nothing in them was acknowledged.
    dim
        Length of the vectors; 0 if there is no record.
    nbytes
        Of the records.
    """

    found: list[Found] = field(default_factory=list)
    lost: list[GenerationRange] = field(default_factory=list)
    is_cut: bool = False
    unfinished: list[str] = field(default_factory=list)
    dim: int = 0
    nbytes: int = 0

    @property
    def last_generation(self) -> int:
        """The last generation that is accounted for: found or lost."""
        lost = self.lost[-1].last if self.lost else 0
        return max(lost, self.found[-1].record.last_generation if self.found else 0)


def survey(
    storage: Storage,
    manifest: Manifest | None,
    space_id: str,
    damages: Damages,
    *,
    generation_min: int = 0,
    dim: int = 0,
    on_bytes: Callable[[int], None] = lambda nbytes: None,
) -> Survey:
    """Read all of a log, whatever its state.

    Parameters
    ----------
    storage
        The directory of the log.
    manifest, space_id
        As for `find_segments`.
    damages
        Where all damage is reported.
    generation_min
        The log is known from elsewhere to have gone at least so far.
    dim
        Length of the vectors; 0 for that of the first record.
    on_bytes
        Told how many bytes were read.

    Raises
    ------
    NewerFormat
        If a newer version wrote some of it.
    """
    segments, lost_epoch = find_segments(storage, manifest, space_id, damages)
    mark = manifest.mark if manifest is not None else Mark()
    ends1 = {e.epoch: e.last_generation for e in manifest.segments if e.format == 1} if manifest is not None else {}
    reading = _Reading(mark, dim, on_bytes)
    headers = [headers_in(segment) for segment in segments]
    limits = _limits(segments, headers, ends1, lost_epoch)
    for segment, its_headers, limit in zip(segments, headers, limits, strict=True):
        reading.read(segment, its_headers, limit)
    # A segment that is lost may have held more than the mark says, unless the mark is that of a clean stop.
    is_cut = lost_epoch >= max(1, mark.epoch, *(segment.epoch for segment in segments)) and not mark.closed
    return reading.finish(max(mark.generation, generation_min), is_cut)


def _limits(
    segments: list[Segment], headers: list[list[Header]], ends1: dict[int, int], lost_epoch: int
) -> list[int | None]:
    """Up to which generation each segment belongs to the log; None for the last, and `_UNKNOWN` where that is lost.

    Only the first record of the very next segment says it: one that is further on may follow records that are lost.
    """
    limits: list[int | None] = []
    following: int | None = None
    next_epoch = 0
    for segment, its_headers in zip(reversed(segments), reversed(headers), strict=True):
        limit = following
        if next_epoch != segment.epoch + 1 and (following is not None or segment.epoch < lost_epoch):
            limit = _UNKNOWN
        limits.append(ends1.get(segment.epoch, limit))
        if its_headers:
            first = its_headers[0]
            following = first.previous_generation if first.position == segment.begin else _UNKNOWN
            next_epoch = segment.epoch
    return limits[::-1]


class _Reading:
    """Goes through the segments in order."""

    def __init__(self, mark: Mark, dim: int, on_bytes: Callable[[int], None]) -> None:
        self._mark = mark
        self._on_bytes = on_bytes
        self._last = 0
        self._result = Survey(dim=dim)

    def read(self, segment: Segment, headers: list[Header], limit: int | None) -> None:
        """Take in a segment."""
        durable = self._durable_in(segment, headers)
        end, is_suspect, is_damage = segment.begin, False, False
        for header in headers:
            self._result.dim = self._result.dim or header.dim
            if header.dim != self._result.dim or header.previous_generation < self._last:
                what = f"a record that follows generation {header.previous_generation} comes after {self._last}"
                segment.report(header.position, 0, 0, f"{what}, or holds vectors of another dimension")
                return
            offset = segment.damage_in(header)
            is_suspect = is_suspect or header.position > end or offset >= 0
            is_damage = is_damage or self._is_damage(segment, end) or _is_torn_wrongly(segment, header, offset)
            if not self._is_believed(segment, header, limit, durable, is_suspect, is_damage):
                self._drop(segment, end, limit)
                return
            self._take(segment, header, offset, end)
            end = header.end
        self._judge_end(segment, end, limit)

    def finish(self, durable: int, is_cut: bool) -> Survey:
        """What was found, of a log that was durable up to a generation."""
        if self._last < durable:
            self._result.lost.append(GenerationRange(self._last + 1, durable))
        self._result.lost = merged(self._result.lost)
        self._result.is_cut = self._result.is_cut or is_cut
        return self._result

    def _durable_in(self, segment: Segment, headers: list[Header]) -> int:
        """The last generation in a segment that was provably durable there.

        Only what was written to the very segment proves it: later ones may give its generations to others.
        """
        marked = self._mark.generation if self._mark.epoch == segment.epoch else 0
        return max([marked, *(header.synced_generation for header in headers)])

    def _is_believed(
        self, segment: Segment, header: Header, limit: int | None, durable: int, is_suspect: bool, is_damage: bool
    ) -> bool:
        """Whether a record is part of the log; it is suspect if it is broken, or lies behind something broken."""
        if limit is not None and limit != _UNKNOWN:
            return header.last_generation <= limit
        if not is_suspect or header.last_generation <= durable:
            return True
        # No later segment can have given its generations to others, and no crash leaves the log like this.
        return limit is None and is_damage and self._mark.epoch <= segment.epoch

    def _is_damage(self, segment: Segment, position: int) -> bool:
        """Whether something lies where a record should begin that is none, and that no unfinished write leaves."""
        if segment.header_at(position) is not None:
            return False
        if segment.format > 1:
            return 0 <= segment.nonzero_from(position) < position + SECTOR_BYTES
        start = bytes(segment.memory[position : position + len(MAGIC1)])
        return any(found not in (0, meant) for found, meant in zip(start, MAGIC1, strict=False))

    def _take(self, segment: Segment, header: Header, offset: int, end: int) -> None:
        if header.previous_generation > self._last:
            lost = GenerationRange(self._last + 1, header.previous_generation)
            self._result.lost.append(lost)
            segment.report(end, *lost, "the records that belong there are broken or missing")
        if offset >= 0:
            segment.report(offset, header.first_generation, header.last_generation, MISFIT)
        self._result.found.append(Found(Record(segment, header), offset < 0))
        self._result.nbytes += header.length
        self._last = header.last_generation
        self._on_bytes(header.length)

    def _judge_end(self, segment: Segment, end: int, limit: int | None) -> None:
        """Look at what lies behind the last record of the log."""
        if limit is not None:
            return
        if not segment.view[end:].any():
            return
        is_provably_all = self._mark.closed and self._last >= self._mark.generation
        if is_provably_all or self._is_damage(segment, end):
            segment.report(end, self._last + 1, self._last + 1, "something lies there that is no record")
            self._result.is_cut = not self._mark.closed
        else:
            self._drop(segment, end, limit)

    def _drop(self, segment: Segment, position: int, limit: int | None) -> None:
        if limit is None:
            what = f"{segment.name} at offset {position}, behind generation {self._last}"
            self._result.unfinished.append(what)


def _is_torn_wrongly(segment: Segment, header: Header, offset: int) -> bool:
    """Whether a record is broken in a way that no unfinished write leaves."""
    if offset < 0 or segment.format == 1:
        return False
    return _core.torn_sectors(segment.view, header.position, segment.salt, header.end) >= 0

"""Survey of a log that may be damaged: the records that are part of it, and the generations that are lost.

Every record names the last generation of the record before it, so the records that are left show what is missing. What
a crash left behind the end of a segment must not count as lost: it was never acknowledged, and its generations may have
been given to other observations. The survey tells it from damage by the same rules as recovery.
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

# The limit of a segment, see `_limits`, if the record that names it is broken.
_UNKNOWN: Final = -1


class Found(NamedTuple):
    """A record that is part of the log.

    Parameters
    ----------
    record
        The record; its header is valid.
    is_whole
        Whether every byte behind the header is valid, too.
    """

    record: Record
    is_whole: bool


@dataclass(slots=True)
class Survey:
    """The remains of a log.

    Parameters
    ----------
    found
        The records, with rising generations.
    lost
        Generations of records that are missing or whose headers are broken. Nothing is known about their ids.
    is_cut
        Whether records are missing at the end whose generations are unknown, too.
    unfinished
        Writes at the end that a crash interrupted, as texts for people. Nothing in them was acknowledged.
    dim
        Dimension of the vectors; 0 if it was not given and there is no record.
    nbytes
        Size of the records in bytes.
    """

    found: list[Found] = field(default_factory=list)
    lost: list[GenerationRange] = field(default_factory=list)
    is_cut: bool = False
    unfinished: list[str] = field(default_factory=list)
    dim: int = 0
    nbytes: int = 0

    @property
    def last_generation(self) -> int:
        """The last generation that was found or is known to be lost."""
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
        Object that receives reports of all damage.
    generation_min
        A generation that the log is known, from elsewhere, to have reached.
    dim
        Dimension of the vectors; 0 for that of the first record.
    on_bytes
        Function that receives the size in bytes of each record that was read.

    Raises
    ------
    NewerFormat
        If a newer version of Engram wrote a part of the log.
    """
    segments, lost_epoch = find_segments(storage, manifest, space_id, damages)
    mark = manifest.mark if manifest is not None else Mark()
    ends1 = {e.epoch: e.last_generation for e in manifest.segments if e.format == 1} if manifest is not None else {}
    reading = _Reading(mark, dim, on_bytes)
    headers = [headers_in(segment) for segment in segments]
    listed = manifest.segments if manifest is not None else ()
    limits = _limits(segments, headers, ends1, lost_epoch, {entry.epoch: entry.first_epoch for entry in listed})
    for segment, its_headers, limit in zip(segments, headers, limits, strict=True):
        reading.read(segment, its_headers, limit)
    # A lost segment may have held more than the mark says, unless a clean stop left the mark.
    is_cut = lost_epoch >= max(1, mark.epoch, *(segment.epoch for segment in segments)) and not mark.closed
    return reading.finish(max(mark.generation, generation_min), is_cut)


def _limits(
    segments: list[Segment],
    headers: list[list[Header]],
    ends1: dict[int, int],
    lost_epoch: int,
    first_epochs: dict[int, int],
) -> list[int | None]:
    """Return the last generation of each segment that belongs to the log.

    It is None for the last segment, and `_UNKNOWN` if the record that names it is lost. Only the first record of the
    very next segment names it. A later segment may follow lost records.
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
            next_epoch = first_epochs.get(segment.epoch) or segment.epoch
    return limits[::-1]


class _Reading:
    """Reads the segments in order and collects the result."""

    def __init__(self, mark: Mark, dim: int, on_bytes: Callable[[int], None]) -> None:
        self._mark = mark
        self._on_bytes = on_bytes
        self._last = 0
        self._result = Survey(dim=dim)

    def read(self, segment: Segment, headers: list[Header], limit: int | None) -> None:
        """Read a segment; for `limit` see `_limits`."""
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
            is_damage = is_damage or bool(segment.file.lost_pages)
            if not self._is_believed(segment, header, limit, durable, is_suspect, is_damage):
                self._drop(segment, end, limit)
                return
            self._take(segment, header, offset, end)
            end = header.end
        self._judge_end(segment, end, limit)

    def finish(self, durable: int, is_cut: bool) -> Survey:
        """Return the survey of a log that is known to have been durable up to the generation `durable`."""
        if self._last < durable:
            self._result.lost.append(GenerationRange(self._last + 1, durable))
        self._result.lost = merged(self._result.lost)
        self._result.is_cut = self._result.is_cut or is_cut
        return self._result

    def _durable_in(self, segment: Segment, headers: list[Header]) -> int:
        """Return the last generation in a segment that was provably durable there.

        Only what was written to this very segment proves it: later segments may give the same generations to other
        observations.
        """
        marked = self._mark.generation if self._mark.epoch == segment.epoch else 0
        return max([marked, *(header.synced_generation for header in headers)])

    def _is_believed(
        self, segment: Segment, header: Header, limit: int | None, durable: int, is_suspect: bool, is_damage: bool
    ) -> bool:
        """Return whether a record is part of the log. A suspect record is broken, or lies behind something broken."""
        if limit is not None and limit != _UNKNOWN:
            return header.last_generation <= limit
        if not is_suspect or header.last_generation <= durable:
            return True
        # No later segment can have given the record's generations to others, and no crash leaves such damage.
        return limit is None and is_damage and self._mark.epoch <= segment.epoch

    def _is_damage(self, segment: Segment, position: int) -> bool:
        """Return whether there is something other than a record at `position` that no unfinished write leaves there."""
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
        """Report what lies behind the last record of the log, as damage or as an unfinished write."""
        if limit is not None:
            return
        is_empty = not segment.view[end:].any()
        if segment.file.lost_pages:
            segment.report(end, self._last + 1, self._last + 1, "pages that cannot be read lie there")
            self._result.is_cut = not self._mark.closed
            return
        if is_empty:
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
    """Return whether a record is broken in a way that no unfinished write causes."""
    if offset < 0 or segment.format == 1:
        return False
    return _core.torn_sectors(segment.view, header.position, segment.salt, header.end) >= 0

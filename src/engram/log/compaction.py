"""Compaction of the log: neighbouring closed segments are replaced by one that has only what may still be recalled.

Every row keeps its generation. The new segment is written and synced first, then it takes the place of the old ones in
the manifest, in one step. A crash leaves the old segments or the new one in the list, and files of the others, which
the next opening removes. What recovery needs of the dropped rows is in the PROGRESS record at the end of the segment.
"""

from __future__ import annotations

import contextlib
import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.log.files.aligned_buffers import BLOCK_BYTES
from engram.log.files.os_errors import typed_failures
from engram.log.files.storage import Storage
from engram.log.identity import new_salt
from engram.log.log import Log
from engram.log.manifest import SegmentEntry
from engram.log.records.encoding import EncodedRecord, encode_record
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.progress import Horizon, SessionProgress
from engram.log.records.record import Record
from engram.log.records.record_table import RecordPage
from engram.log.records.sectors import SECTOR_BYTES
from engram.log.segments.segment import Segment, segment_name
from engram.log.segments.segment_header import SegmentHeader
from engram.model.observations import ObservationBatch, concatenate, fill_batch
from engram.model.values.presence import spread

# A record of kept rows gets no more rows once it has so many, or so many bytes.
_ROWS_MAX: Final = 1024
_RECORD_BYTES_MAX: Final = 1 << 20
_PIECE_BYTES: Final = 4 << 20
# A client asks again only for what it has no ack for, so the latest ranges of a session are enough.
_RANGES_MAX: Final = 64

Survivors = Callable[[Record], NDArray[np.int64]]
"""Returns which rows of a record are kept: int64, rising."""

Pace = Callable[[int], None]
"""Is told of bytes that are about to be read or written. It may wait, and stops a compaction by raising."""


class SegmentCompaction:
    """Replaces closed segments of a log while it is written and read. One thread at a time may use it.

    Parameters
    ----------
    log, storage
        The log and its directory.
    pace
        Limits reading and writing.
    joins
        Whether rows of several records up to the horizon may become one record, with the commit time of the last. What
        can still be recalled by time keeps its own.
    """

    def __init__(self, log: Log, storage: Storage, pace: Pace, *, joins: bool = True) -> None:
        self._joins = joins
        self._log = log
        self._manifest = log.manifest
        self._storage = storage
        self._pace = pace

    def compact(self, run: Sequence[RecordPage], horizon: Horizon, survivors: Survivors) -> RecordPage:
        """Replace neighbouring segments by one, and return its page. Their files remain until `remove`.

        Parameters
        ----------
        run
            The pages of the segments. Nothing is added to any of them any more, all of it is published, and none is of
            format 1.
        horizon
            What may be missing from now on for readers of the past, besides what was erased: whatever else `survivors`
            leaves out ended at or before it.
        survivors
            Chooses the rows.

        Raises
        ------
        CorruptData
            If a row that is kept cannot be read. Nothing has changed then.
        Unavailable
            If the disk is full or fails. Nothing has changed then.
        """
        encoded = list(self._encoded(run, horizon, survivors))
        segment, entry = self._write(run, encoded)
        listed = {one.epoch: one for one in self._manifest.segments}
        try:
            with typed_failures("replacing segments of the log"):
                self._manifest.replace_segments([listed[page.segment.epoch] for page in run], entry)
        except BaseException:
            # The list on the disk may have the segment all the same. Its file goes only when that is certain.
            with contextlib.suppress(OSError):
                self._manifest.save()
                self._storage.remove(segment.name)
            raise
        page = _page_of(segment, run[0].first_generation)
        self._log.replace(run, page)
        return page

    def remove(self, run: Sequence[RecordPage]) -> None:
        """Remove the files of segments that were replaced. What is still mapped stays readable.

        Raises
        ------
        Unavailable
            If one cannot be removed. The next opening removes it.
        """
        with typed_failures("removing replaced segments"):
            for page in run:
                page.segment.file.close()
                self._storage.remove(page.segment.name)

    def _encoded(
        self, run: Sequence[RecordPage], horizon: Horizon, survivors: Survivors
    ) -> Iterator[tuple[EncodedRecord, int]]:
        """Yield the records of the new segment, each with its commit time."""
        sessions = _Sessions()
        committed_us = 0
        for entry in _Merging(self._records(run), survivors, horizon.generation if self._joins else 0).entries():
            committed_us = entry.committed_us
            yield encode_record(entry, self._log.dim), committed_us
        for page in run:
            for record in page.in_order():
                sessions.add(record)
        ends = [end for page in (*self._before(run), *run) for end in (*page.records[-1:], *page.progress[-1:])]
        committed_us = max([committed_us, *(end.committed_us for end in ends)])
        progress = sessions.progress(horizon)
        last = LogEntry(RecordKind.PROGRESS, run[-1].last_generation, committed_us=committed_us, progress=progress)
        yield encode_record(last, self._log.dim), committed_us

    def _records(self, run: Sequence[RecordPage]) -> Iterator[Record]:
        for page in run:
            for record in page.records:
                self._pace(record.nbytes)
                yield record

    def _write(
        self, run: Sequence[RecordPage], encoded: Sequence[tuple[EncodedRecord, int]]
    ) -> tuple[Segment, SegmentEntry]:
        """Write the new segment durably, and check it. It is not listed yet."""
        epoch, revision = run[-1].segment.epoch, 1 + max(page.segment.revision for page in run)
        used = SECTOR_BYTES + sum(record.nbytes for record, _ in encoded)
        nbytes = used + -used % BLOCK_BYTES
        first_epoch = self._first_epoch(run[0].segment.epoch)
        header = SegmentHeader(new_salt(), epoch, nbytes, self._manifest.identity, first_epoch, revision)
        name = segment_name(epoch, revision)
        with typed_failures("writing a compacted segment"):
            if name in self._storage.names():
                # An earlier attempt has left it. It goes only when the list on the disk is certain not to have it.
                self._manifest.save()
                self._storage.remove(name)
            file = self._storage.create(name, nbytes, header.pack())
            segment = Segment(epoch, file, header.salt, self._log.damages, revision=revision)
            try:
                self._fill(segment, run, encoded)
                file.sync()
                if segment.check_records(segment.begin, nbytes)[1] >= 0:
                    raise OSError(errno.EIO, "what was written to it is not what it has", name)
            except BaseException:
                with contextlib.suppress(OSError):
                    self._storage.remove(name)
                raise
            finally:
                file.close()
        return segment, SegmentEntry(epoch, nbytes, 2, header.salt, first_epoch=first_epoch, revision=revision)

    def _fill(self, segment: Segment, run: Sequence[RecordPage], encoded: Sequence[tuple[EncodedRecord, int]]) -> None:
        previous = max((page.last_generation for page in self._before(run)), default=0)
        waiting: list[EncodedRecord] = []
        for record, committed_us in encoded:
            placed = record.place(
                epoch=segment.epoch,
                position=segment.end,
                salt=segment.salt,
                previous_generation=previous,
                # All of it was durable before.
                synced_generation=run[-1].last_generation,
                committed_us=committed_us,
            )
            previous = placed.header.last_generation
            segment.end += record.nbytes
            waiting.append(placed)
            if segment.end - waiting[0].header.position >= _PIECE_BYTES or record is encoded[-1][0]:
                self._pace(segment.end - waiting[0].header.position)
                segment.write(waiting)
                waiting = []

    def _before(self, run: Sequence[RecordPage]) -> Sequence[RecordPage]:
        """Return the page before those of `run`, if there is one."""
        pages = self._log.pages
        index = pages.index(run[0])
        return pages[max(index - 1, 0) : index]

    def _first_epoch(self, epoch: int) -> int:
        """Return the number behind that of the segment that is listed before segment `epoch`."""
        return 1 + max((entry.epoch for entry in self._manifest.segments if entry.epoch < epoch), default=0)


class _Merging:
    """Joins the kept rows of records in entries of a good size.

    Parameters
    ----------
    records
        The records, in order.
    survivors
        Chooses their rows.
    joined_until
        An entry may have rows of several records that end at or before this generation.
    """

    def __init__(self, records: Iterable[Record], survivors: Survivors, joined_until: int) -> None:
        self._joined_until = joined_until
        self._records = records
        self._survivors = survivors
        self._batches: list[ObservationBatch] = []
        self._ids: list[str] = []
        self._generations: list[NDArray[np.int64]] = []
        self._nbytes = 0
        self._committed_us = 0

    def entries(self) -> Iterator[LogEntry]:
        """Yield the entries, without sessions."""
        for record in self._records:
            rows = self._survivors(record)
            if not len(rows):
                continue
            is_observed = record.kind is RecordKind.OBSERVE
            joins = record.last_generation <= self._joined_until and is_observed != bool(self._ids)
            if self._generations and (not joins or self._is_full):
                yield self._taken()
            if is_observed:
                self._batches.append(_batch_of(record, rows))
                self._nbytes += self._batches[-1].nbytes
            else:
                ids = record.ids()
                self._ids += [ids[row] for row in rows.tolist()]
            self._generations.append(record.generations[rows])
            self._committed_us = record.committed_us
        if self._generations:
            yield self._taken()

    @property
    def _is_full(self) -> bool:
        return sum(map(len, self._generations)) >= _ROWS_MAX or self._nbytes >= _RECORD_BYTES_MAX

    def _taken(self) -> LogEntry:
        generations = np.concatenate(self._generations)
        first, last = int(generations[0]), int(generations[-1])
        entry = LogEntry(
            RecordKind.DELETE if self._ids else RecordKind.OBSERVE,
            first,
            None if self._ids else concatenate(self._batches),
            self._ids,
            committed_us=self._committed_us,
            generations=None if last - first + 1 == len(generations) else generations,
        )
        self._batches, self._ids, self._generations, self._nbytes = [], [], [], 0
        return entry


class _Sessions:
    """The ranges of sequence numbers that rows had, by session."""

    def __init__(self) -> None:
        self._ranges: dict[str, deque[tuple[int, int, int, int]]] = {}

    def add(self, record: Record) -> None:
        """Add the rows of a record, if they are from a session; or what an earlier compaction has kept."""
        if record.session:
            self._add(record.session, (record.first_sequence, record.count, record.first_generation, record.writer))
        if record.kind is not RecordKind.PROGRESS:
            return
        progress = record.progress()
        for session, (sequence, rows, generation, writer) in zip(
            progress.sessions, progress.ranges.tolist(), strict=True
        ):
            self._add(session, (sequence, rows, generation, writer))

    def progress(self, horizon: Horizon) -> SessionProgress:
        """Return all of it, in the order of generations."""
        rows = [(session, one) for session, ranges in self._ranges.items() for one in ranges]
        rows.sort(key=lambda row: row[1][2])
        ranges = np.array([one for _, one in rows], dtype=np.uint64).reshape(-1, 4)
        return SessionProgress([session for session, _ in rows], ranges, horizon)

    def _add(self, session: str, later: tuple[int, int, int, int]) -> None:
        ranges = self._ranges.setdefault(session, deque(maxlen=_RANGES_MAX))
        if ranges:
            sequence, rows, generation, writer = ranges[-1]
            if later == (sequence + rows, later[1], generation + rows, writer):
                ranges[-1] = sequence, rows + later[1], generation, writer
                return
        ranges.append(later)


def _batch_of(record: Record, rows: NDArray[np.int64]) -> ObservationBatch:
    ids, columns, taken = record.ids(), record.columns(), rows.tolist()
    kept: dict[str, Any] = {
        name: column[rows] if isinstance(column, np.ndarray) else [column[row] for row in taken]
        for name, column in columns.items()
    }
    vectors = spread(record.vectors(rows), kept.get("vector_presence"))
    return fill_batch([ids[row] for row in taken], vectors, kept)


def _page_of(segment: Segment, first_generation: int) -> RecordPage:
    """Return the page of a segment that was just written."""
    records: list[Record] = []
    position = segment.begin
    while position < segment.end:
        header = segment.header_at(position)
        if header is None:
            raise segment.report(position, 0, 0).error()
        records.append(Record(segment, header))
        position = header.end
    return RecordPage(segment, first_generation, records)

"""Writing what is intact in a damaged log into a new one, row by row where that is needed."""

from __future__ import annotations

from collections.abc import Iterator, Set
from enum import Enum
from itertools import groupby
from typing import Final

from engram.log.log import Log
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.maintenance.repairs.rescue import Rescued, batch_of, rescue, whole_batch_of
from engram.maintenance.repairs.set_aside import SetAside
from engram.maintenance.survey import Found

_BYTES_PER_SYNC: Final = 32 << 20


class _Fate(Enum):
    """The fate of a row in a repair."""

    KEPT = 1
    # An observation whose id can be read is replaced by a deletion. The deletion keeps an older version from being
    # returned instead, and it keeps the sequence numbers of the session free of gaps.
    DELETED = 2
    LOST = 3


class Rewriting:
    """Copies records, in order, with the generations and commit times that they have.

    Parameters
    ----------
    log
        The new log.
    withheld
        The ids whose observations must not be in the new log.
    set_aside
        The file that receives these observations.

    Attributes
    ----------
    kept
        Number of rows that were kept.
    """

    def __init__(self, log: Log, withheld: Set[str], set_aside: SetAside) -> None:
        self._log = log
        self._withheld = withheld
        self._set_aside = set_aside
        self._unsynced = 0
        self.kept: int = 0

    def add(self, found: Found) -> None:
        """Copy what is intact in a record.

        Raises
        ------
        CorruptData
            If the record became unreadable after it was found.
        Unavailable
            If the new log cannot be written.
        OSError
            If the file of withheld observations cannot be written.
        """
        if found.record.kind is RecordKind.PROGRESS:
            entries = [_progress_of(found.record)] if found.is_whole else []
        else:
            entries = list(self._entries(rescue(found)))
        if entries:
            self._log.append(entries, gaps=True)
        self._unsynced += found.record.nbytes
        if self._unsynced >= _BYTES_PER_SYNC:
            self.finish()

    def finish(self) -> None:
        """Make everything that was copied durable.

        Raises
        ------
        Unavailable
            If the new log cannot be written.
        """
        self._log.sync()
        self._unsynced = 0

    def _entries(self, rescued: Rescued) -> Iterator[LogEntry]:
        record = rescued.record
        fates = [self._fate(rescued, row) for row in range(record.count)]
        if record.kind is RecordKind.OBSERVE and all(fate is _Fate.KEPT for fate in fates):
            self.kept += record.count
            yield self._entry(rescued, range(record.count), _Fate.KEPT)
            return
        for fate, rows in groupby(range(record.count), key=fates.__getitem__):
            taken = list(rows)
            if fate is not _Fate.LOST:
                self.kept += len(taken) if fate is _Fate.KEPT else 0
                yield self._entry(rescued, range(taken[0], taken[-1] + 1), fate)

    def _fate(self, rescued: Rescued, row: int) -> _Fate:
        id = rescued.ids[row]
        if id is None:
            return _Fate.LOST
        if rescued.record.kind is not RecordKind.OBSERVE:
            return _Fate.KEPT
        if not rescued.is_readable[row]:
            return _Fate.DELETED
        if id in self._withheld:
            self._set_aside.add(rescued.record, row)
            return _Fate.DELETED
        return _Fate.KEPT

    def _entry(self, rescued: Rescued, rows: range, fate: _Fate) -> LogEntry:
        record = rescued.record
        generations = record.generations[rows.start : rows.stop]
        is_observed = record.kind is RecordKind.OBSERVE and fate is _Fate.KEPT
        batch = None
        if is_observed:
            is_all = len(rows) == record.count
            batch = whole_batch_of(record) if is_all else batch_of(record, rows)
        return LogEntry(
            RecordKind.OBSERVE if is_observed else RecordKind.DELETE,
            rescued.generation(rows.start),
            batch,
            () if is_observed else [id for row in rows if (id := rescued.ids[row]) is not None],
            session=record.session,
            first_sequence=record.first_sequence + rows.start if record.session else 0,
            committed_us=record.committed_us,
            writer=record.writer,
            generations=generations if int(generations[-1] - generations[0]) >= len(rows) else None,
        )


def _progress_of(record: Record) -> LogEntry:
    return LogEntry(
        RecordKind.PROGRESS, record.last_generation, committed_us=record.committed_us, progress=record.progress()
    )

"""The content of a log after recovery."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from engram.log.files.storage import Storage
from engram.log.manifest import Manifest
from engram.log.records.record import Record
from engram.log.records.record_table import RecordPage
from engram.log.segments.segment import Segment


@dataclass(slots=True)
class RecoveredLog:
    """The state of a log as it was found on its storage.

    Parameters
    ----------
    records
        All records that have rows, with rising generations.
    progress
        All PROGRESS records, in order.
    segments
        The segments that contain records or the remains of a crash, oldest first.
    last
        The segment that the next record may go to, or None if it must go to a new one.
    blanks
        Prepared segments that were never used, oldest first.
    leftovers
        Names of segment files that were never used and that the manifest does not list. A writer removes them.
    last_epoch
        The highest segment number in use.
    """

    records: list[Record] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    last: Segment | None = None
    blanks: list[Segment] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    last_epoch: int = 0
    progress: list[Record] = field(default_factory=list)

    @property
    def last_generation(self) -> int:
        """The last generation that was assigned, or 0 for an empty log."""
        ends = [*self.records[-1:], *self.progress[-1:]]
        return max((record.last_generation for record in ends), default=0)

    def pages(self) -> list[RecordPage]:
        """Return the records by segment."""
        pages: list[RecordPage] = []
        with_rows, progress = _by_segment(self.records), _by_segment(self.progress)
        for segment in self.segments:
            found, other = with_rows.get(segment.epoch, []), progress.get(segment.epoch, [])
            # Its first rows may have been dropped.
            after = pages[-1].last_generation + 1 if pages else 1
            pages.append(RecordPage(segment, after, found, other))
        return pages

    def settle(self, storage: Storage, manifest: Manifest) -> None:
        """Make the records durable, and remove files that an interrupted segment creation left.

        Raises
        ------
        OSError
            If that is not possible.
        """
        for segment in self.segments:
            if segment is self.segments[-1]:
                # After kill -9 the recovered records may exist only in memory that the kernel has not written out yet.
                segment.file.sync()
            if segment is not self.last:
                segment.file.close()
        if self.leftovers:
            # An older list may be all that is durable, and may have them.
            manifest.save()
        for name in self.leftovers:
            storage.remove(name)

    def close(self) -> None:
        """Close the files. Records stay readable."""
        for segment in (*self.segments, *self.blanks):
            segment.file.close()


def _by_segment(records: list[Record]) -> dict[int, list[Record]]:
    return {epoch: list(group) for epoch, group in groupby(records, lambda record: record.segment.epoch)}

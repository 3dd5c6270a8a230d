"""The content of a log after recovery."""

from __future__ import annotations

from dataclasses import dataclass, field

from engram.log.records.record import Record
from engram.log.segments.segment import Segment


@dataclass(slots=True)
class RecoveredLog:
    """The state of a log as it was found on its storage.

    Parameters
    ----------
    records
        All records, with rising generations.
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

    @property
    def last_generation(self) -> int:
        """The last generation of the last record, or 0 for an empty log."""
        return self.records[-1].last_generation if self.records else 0

    @property
    def nbytes(self) -> int:
        """Size of all records in bytes."""
        return sum(segment.end - segment.begin for segment in self.segments)

    def close(self) -> None:
        """Close the files. Records stay readable."""
        for segment in (*self.segments, *self.blanks):
            segment.file.close()

"""What a log consists of when it has been opened."""

from __future__ import annotations

from dataclasses import dataclass, field

from engram.log.records.record import Record
from engram.log.segments.segment import Segment


@dataclass(slots=True)
class RecoveredLog:
    """The state of a log on its storage.

    Parameters
    ----------
    records
        All of them, generations rising.
    segments
        Those that records or the remains of a crash are in, oldest first.
    last
        The segment that the next record may go to, or None if it must go to a new one.
    blanks
        Prepared segments that were never used, oldest first.
    leftovers
        Names of files of segments that were never used and are not listed; whoever writes removes them.
    last_epoch
        The highest segment number that is taken.
    """

    records: list[Record] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    last: Segment | None = None
    blanks: list[Segment] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    last_epoch: int = 0

    @property
    def last_generation(self) -> int:
        """The generation of the last record, or 0."""
        return self.records[-1].last_generation if self.records else 0

    @property
    def nbytes(self) -> int:
        """Bytes of all records."""
        return sum(segment.end - segment.begin for segment in self.segments)

    def close(self) -> None:
        """Close the handles; records stay readable."""
        for segment in (*self.segments, *self.blanks):
            segment.file.close()

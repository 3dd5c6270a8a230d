"""Records that have their places in the log and are about to be written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engram.log.encoding import EncodedRecord
from engram.log.record import Record
from engram.log.segment import Segment


class Run(NamedTuple):
    """Records that go into one segment back to back."""

    segment: Segment
    records: list[EncodedRecord]

    @property
    def start(self) -> int:
        """Where the first begins."""
        return self.records[0].header.position

    @property
    def end(self) -> int:
        """Where the last ends."""
        return self.records[-1].header.end


class PreparedWrite:
    """What one append writes, and the records that will be there for readers.

    Parameters
    ----------
    runs
        In order; one per segment.
    """

    __slots__ = ("records", "runs")

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self.records = [Record(run.segment, record.header) for run in runs for record in run.records]

"""Records that have their places in the log and are about to be written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engram.log.records.encoding import EncodedRecord
from engram.log.records.record import Record
from engram.log.segments.segment import Segment


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

    Attributes
    ----------
    records
        All of them, in order.
    vector_sums
        For each record the CRC32C of its vectors, so that nobody need sum them again; None for DELETE.
    """

    __slots__ = ("records", "runs", "vector_sums")

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self.records = [Record(run.segment, record.header) for run in runs for record in run.records]
        self.vector_sums = [record.vector_sums for run in runs for record in run.records]

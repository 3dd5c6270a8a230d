"""Records that have their positions in the log and are about to be written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.log.records.encoding import EncodedRecord
from engram.log.records.record import Record
from engram.log.segments.segment import Segment


class Run(NamedTuple):
    """Records that are written back to back into one segment."""

    segment: Segment
    records: list[EncodedRecord]

    @property
    def start(self) -> int:
        """Offset in the segment where the first record begins, in bytes."""
        return self.records[0].header.position

    @property
    def end(self) -> int:
        """Offset in the segment where the last record ends, in bytes."""
        return self.records[-1].header.end


class PreparedWrite:
    """The data that one append writes, and the records that readers see afterwards.

    Parameters
    ----------
    runs
        The runs, in order, one per segment.

    Attributes
    ----------
    records
        All records, in order.
    vector_sums
        For each record the CRC32C of each of its vectors, so that they need not be computed again: uint32, shape
        ``(count,)``; None for DELETE.
    """

    __slots__ = ("records", "runs", "vector_sums")

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs: Sequence[Run] = runs
        self.records: list[Record] = [Record(run.segment, record.header) for run in runs for record in run.records]
        self.vector_sums: list[NDArray[np.uint32] | None] = [
            record.vector_sums for run in runs for record in run.records
        ]

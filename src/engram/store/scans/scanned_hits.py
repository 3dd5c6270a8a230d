"""The hits of scans: rows that follow each other in the log are read together."""

from __future__ import annotations

from collections.abc import Iterable

from engram.errors import CorruptData
from engram.log.records.record import Record
from engram.log.records.record_rows import RecordRows
from engram.model.hit import Hit, received_hit
from engram.store.recall.stored_hits import stored_hit
from engram.store.scans.runs import TOGETHER_MIN, Span


class ScannedRows(RecordRows):
    """Rows of a record as the source of all attributes of their hits.

    Parameters
    ----------
    span
        The rows.
    indexed_generation
        Generation up to which everything was linked into the graph when the page was read.
    recalled_us
        Time of the page, in microseconds since 1970 UTC.
    """

    __slots__ = ("_indexed_generation", "_recalled_us")

    def __init__(self, span: Span, indexed_generation: int, recalled_us: int) -> None:
        super().__init__(span.record, span.row, span.rows)
        self._indexed_generation = indexed_generation
        self._recalled_us = recalled_us

    def score(self, row: int) -> float:
        """Return 1.0, because nothing was ranked."""
        return 1.0

    def generation(self, row: int) -> int:
        """Return the generation of one row."""
        return self._record.generation(self._first + row)

    def indexed(self, row: int) -> bool:
        """Return whether one row was linked into the graph."""
        return self.generation(row) <= self._indexed_generation

    def recent(self, row: int) -> bool:
        """Return False: a scan returns what was alive in its snapshot."""
        return False

    def strength(self, row: int) -> None:
        """Return None, because nothing was ranked."""

    def recalled_us(self, row: int) -> int:
        """Return the time of the page."""
        return self._recalled_us


def scanned_hits(spans: Iterable[Span], indexed: int, recalled_us: int) -> list[Hit]:
    """Return the hits of `spans`, in their order.

    Parameters
    ----------
    spans
        The rows.
    indexed
        Generation up to which everything is linked into the graph.
    recalled_us
        Time of the page, in microseconds since 1970 UTC.
    """
    hits: list[Hit] = []
    for span in spans:
        if span.rows < TOGETHER_MIN:
            for row in range(span.row, span.row + span.rows):
                generation = span.record.generation(row)
                hits.append(stored_hit(span.record, row, generation, 1.0, generation <= indexed, recalled_us))
            continue
        source = ScannedRows(span, indexed, recalled_us)
        hits += [received_hit(source, row) for row in range(span.rows)]
    return hits


def readable_spans(spans: Iterable[Span], *, vectors: bool) -> tuple[list[Span], bool]:
    """Return `spans` without the rows that cannot be read, and whether there are such rows.

    Parameters
    ----------
    spans
        The rows.
    vectors
        Whether their vectors must be readable, too.
    """
    kept: list[Span] = []
    some_are_left_out = False
    for span in spans:
        begin = None
        for offset in range(span.rows + 1):
            if offset < span.rows and _can_be_read(span.record, span.row + offset, vectors):
                begin = offset if begin is None else begin
                continue
            some_are_left_out |= offset < span.rows
            if begin is not None:
                kept.append(Span(span.record, span.row + begin, offset - begin))
                begin = None
    return kept, some_are_left_out


def _can_be_read(record: Record, row: int, vectors: bool) -> bool:
    try:
        record.row(row)
        if vectors:
            record.vector(row)
    except CorruptData:
        return False
    return True

"""Generations as rows of records, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.log.log import Log
from engram.log.records.record import Record
from engram.log.records.record_rows import RecordRows

IDS: Final = "ids"
TIMES: Final = "times_us"
"""The columns that orders go by."""

TOGETHER_MIN: Final = 4
"""Fewer rows of a record are read faster one by one."""

# So are those that are fewer than one of so many rows.
_APART: Final = 8


class Span(NamedTuple):
    """Rows that follow each other in a record.

    Parameters
    ----------
    record
        The record.
    row, rows
        The first of the rows, and how many there are.
    """

    record: Record
    row: int
    rows: int


def spans_of(log: Log, generations: NDArray[np.int64]) -> Iterator[Span]:
    """Yield where `generations` are, in their order.

    Raises
    ------
    LookupError
        If the log has no such generation.
    FailedPrecondition
        If it has been dropped, because no retained snapshot sees it.
    """
    start, count = 0, len(generations)
    # Where a generation is not the next of the one before, a run ends; but not in a record without those between.
    ends = [*(np.flatnonzero(np.diff(generations) != 1) + 1).tolist(), count] if count else []
    run = 0
    while start < count:
        record, row = log.locate(int(generations[start]))
        while ends[run] <= start:
            run += 1
        if record.has_gaps:
            taken = _following(record.generations[row:], generations[start:])
        else:
            taken = min(ends[run] - start, record.count - row)
        yield Span(record, row, taken)
        start += taken


def spans_between(log: Log, first: int, last: int) -> Iterator[Span]:
    """Yield where the log has the rows of the generations from `first` to `last`, whatever is missing of them."""
    for record in log.records_from(first):
        if record.first_generation > last:
            return
        row = record.rows_until(first - 1)
        yield Span(record, row, record.rows_until(last) - row)


def reach(log: Log, first: int, last: int, bytes_max: int) -> int:
    """Return up to which generation rows are read together from `first` on: `last`, or what `within` keeps of them."""
    spans = list(spans_between(log, first, last))
    kept = within(spans, bytes_max)
    if sum(span.rows for span in kept) == sum(span.rows for span in spans):
        return last
    return kept[-1].record.generation(kept[-1].row + kept[-1].rows - 1)


def within(spans: Iterable[Span], bytes_max: int) -> list[Span]:
    """Return the first of `spans`, as many rows as have about `bytes_max` bytes beside their vectors; at least one.

    The rows of a record are taken to be equally large.
    """
    kept: list[Span] = []
    left = bytes_max
    for span in spans:
        row_bytes = sum(map(len, span.record.beside_vectors())) // span.record.count + 1
        fitting = min(span.rows, max(left // row_bytes, 0 if kept else 1))
        if fitting:
            kept.append(Span(span.record, span.row, fitting))
        if fitting < span.rows:
            break
        left -= fitting * row_bytes
    return kept


def _following(stored: NDArray[np.int64], wanted: NDArray[np.int64]) -> int:
    """Return how many of the first of `wanted` are the first of `stored`; at least one is."""
    most = min(len(stored), len(wanted))
    looked_at = 1
    while looked_at < most:
        # Twice as many each time, so that a short run in a large record costs little.
        end = min(2 * looked_at, most)
        differing = np.flatnonzero(stored[looked_at:end] != wanted[looked_at:end])
        if len(differing):
            return looked_at + int(differing[0])
        looked_at = end
    return most


def runs_of(log: Log, generations: NDArray[np.int64]) -> Iterator[RecordRows]:
    """Yield the rows of `generations`, in their order, as far as they follow each other together."""
    for span in spans_of(log, generations):
        yield RecordRows(span.record, span.row, span.rows)


def ids_of(log: Log, generations: NDArray[np.int64]) -> list[str]:
    """Return the ids of `generations`, which must rise.

    Where many of a record are wanted, all ids between them are decoded together, though some are not wanted.

    Raises
    ------
    LookupError, FailedPrecondition, Unavailable
        As for `Log.locate_run`.
    CorruptData
        If one of the ids is damaged; what lies between them does not matter.
    """
    ids: list[str] = []
    while len(ids) < len(generations):
        record, rows = log.locate_run(generations[len(ids) :])
        first, last = int(rows[0]), int(rows[-1])
        if len(rows) >= TOGETHER_MIN and last - first < _APART * len(rows):
            between = RecordRows(record, first, last - first + 1)
            ids += [between.id(row) for row in (rows - first).tolist()]
        else:
            ids += map(record.id, rows.tolist())
    return ids


class ReadableIds(NamedTuple):
    """The ids of some observations, as far as they can be read.

    Parameters
    ----------
    generations
        The observations whose ids can be read: int64, shape ``(n,)``, ascending.
    ids
        The id of each.
    damage
        Why others cannot be read; None if there are none.
    """

    generations: NDArray[np.int64]
    ids: list[str]
    damage: CorruptData | None


def readable_ids(log: Log, generations: NDArray[np.int64]) -> ReadableIds:
    """Return the ids of `generations`, which must rise, that are not damaged; raises otherwise as `ids_of`."""
    try:
        return ReadableIds(generations, ids_of(log, generations), None)
    except CorruptData as error:
        kept = readable(log, generations, IDS)
        return ReadableIds(kept, ids_of(log, kept), error)


def readable(log: Log, generations: NDArray[np.int64], column: str) -> NDArray[np.int64]:
    """Return those of `generations` of which a column, `IDS` or `TIMES`, can be read, in their order: int64."""
    kept: list[int] = []
    for span in spans_of(log, generations):
        rows = RecordRows(span.record, span.row, span.rows)
        read: Callable[[int], object] = rows.id if column == IDS else rows.time_us
        kept += [span.record.generation(span.row + row) for row in range(span.rows) if _can_be_read(read, row)]
    return np.array(kept, dtype=np.int64)


def _can_be_read(read: Callable[[int], object], row: int) -> bool:
    try:
        read(row)
    except CorruptData:
        return False
    return True

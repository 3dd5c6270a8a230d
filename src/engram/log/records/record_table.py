"""The records of a log, found by generation or by time."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from heapq import merge
from itertools import accumulate
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import FailedPrecondition, Unavailable
from engram.log.records.commit_times import CommitTimes
from engram.log.records.header import RecordKind
from engram.log.records.progress import Horizon
from engram.log.records.record import Record
from engram.log.segments.segment import Segment

_position = attrgetter("position")


class RecordPage:
    """The records of one segment, in order. Only records that have rows are counted.

    Parameters
    ----------
    segment
        The segment.
    first_generation
        No record of the page has a lower generation, and none of an earlier page has this one or a higher one.
    records
        The records that exist.
    progress
        The PROGRESS records: one at the end of a compacted segment, any number in a log that was repaired.
    """

    __slots__ = ("_counts", "_horizon", "first_generation", "firsts", "progress", "records", "segment", "times")

    def __init__(
        self, segment: Segment, first_generation: int, records: Sequence[Record], progress: Sequence[Record] = ()
    ) -> None:
        self.segment: Final = segment
        self.first_generation: Final = first_generation
        self.records: Final[list[Record]] = []
        self.firsts: Final[list[int]] = []
        self.times: Final = CommitTimes(())
        self.progress: Final[list[Record]] = list(progress)
        self._horizon: Horizon | None = None
        # Of so many records, the numbers of observations and of deletions.
        self._counts: tuple[int, int, int] = (0, 0, 0)
        self.add(records)

    @property
    def horizon(self) -> Horizon:
        """What ended at or before it was dropped from the segment."""
        if self._horizon is None:
            self._horizon = max((record.progress().horizon for record in self.progress), default=Horizon())
        return self._horizon

    @property
    def counts(self) -> tuple[int, int]:
        """Numbers of observations and of deletions. Any thread may ask, also while records are added."""
        length, observed, deleted = self._counts
        added = self.records[length:]
        if added:
            observed += sum(record.count for record in added if record.kind is RecordKind.OBSERVE)
            deleted += sum(record.count for record in added if record.kind is not RecordKind.OBSERVE)
            self._counts = length + len(added), observed, deleted
        return observed, deleted

    @property
    def last_generation(self) -> int:
        """The last generation that the page covers."""
        ends = [*self.records[-1:], *self.progress[-1:]]
        return max((record.last_generation for record in ends), default=self.first_generation - 1)

    def in_order(self) -> Iterator[Record]:
        """Yield all records in the order of the segment."""
        return merge(self.records, self.progress, key=_position)

    def add(self, records: Sequence[Record]) -> None:
        """Append records. Belongs to the thread that writes the log."""
        with_rows = [record for record in records if record.kind is not RecordKind.PROGRESS]
        if len(with_rows) < len(records):
            self.progress.extend(record for record in records if record.kind is RecordKind.PROGRESS)
            self._horizon = None
        # Readers bisect the generations without a lock, so the records must be added before their generations.
        self.records.extend(with_rows)
        self.firsts.extend(record.first_generation for record in with_rows)
        self.times.add(with_rows)


class RecordTable:
    """Records with rising generations. One thread adds records; any number of threads read, without locks.

    The pages of closed segments can be replaced meanwhile. Readers see the table before or after, never in between.

    Parameters
    ----------
    pages
        The pages of the existing segments, in order.
    last_generation
        The last generation that was assigned.

    Attributes
    ----------
    dropped_generation
        What ended at or before it may have been dropped since the log was opened. It is set before anything is dropped.
    """

    def __init__(self, pages: Sequence[RecordPage], last_generation: int) -> None:
        self._changing = threading.Lock()
        self._last_generation = last_generation
        self.dropped_generation: int = 0
        self._set_pages(pages)

    @property
    def last_generation(self) -> int:
        """The last generation that was assigned, 0 if none was."""
        return self._last_generation

    @property
    def horizon(self) -> Horizon:
        """The oldest generation that can be recalled after what was dropped by compactions."""
        return max((page.horizon for page in self.pages), default=Horizon())

    @property
    def pages(self) -> Sequence[RecordPage]:
        """The pages, in order."""
        return self._pages[1]

    def records(self) -> Sequence[Record]:
        """Return all records that exist now, in order."""
        return [record for page in self.pages for record in page.records]

    def locate(self, generation: int) -> tuple[Record, int]:
        """Return the record that holds `generation`, and its row in that record.

        Raises
        ------
        LookupError
            If no record holds `generation`.
        FailedPrecondition
            If a compaction has dropped it, so that the snapshot of the caller is no longer retained.
        Unavailable
            If it was erased while the caller was about to read it.
        """
        firsts, pages, _ = self._pages
        page = pages[bisect_right(firsts, generation) - 1] if firsts else None
        if page is None:
            raise self._missing(generation, is_compacted=False)
        index = bisect_right(page.firsts, generation) - 1
        if index >= 0:
            record = page.records[index]
            row = record.row_of(generation)
            if row >= 0:
                return record, row
        # What is gone may have been the first of its segment, or all of it.
        is_covered = page.first_generation <= generation <= page.last_generation
        raise self._missing(generation, is_compacted=is_covered and page.segment.revision > 0)

    def locate_run(self, generations: NDArray[np.int64]) -> tuple[Record, NDArray[np.int64]]:
        """Return the record that holds the first of some generations, and its rows with as many as it holds.

        Parameters
        ----------
        generations
            int64, shape ``(n,)``, rising; at least one.

        Returns
        -------
        tuple
            The record, and the rows: int64, shape ``(m,)``, of the first `m` generations.

        Raises
        ------
        LookupError, FailedPrecondition, Unavailable
            As `locate`, if one of these is missing.
        """
        record, _ = self.locate(int(generations[0]))
        held = generations[: int(generations.searchsorted(record.last_generation, "right"))]
        rows = record.rows_of(held)
        if record.has_gaps:
            for gone in held[record.generations[rows] != held].tolist():
                # Says why it is missing.
                self.locate(gone)
        return record, rows

    def as_of(self, generation: int) -> AbstractContextManager[None]:
        """Read what was alive at `generation`, which the caller found to be retained.

        By itself, `locate` cannot tell what was erased from what a compaction dropped. But compactions keep whatever is
        alive at their horizon or later.

        Raises
        ------
        Unavailable
            If something was erased while the caller was about to read it.
        """
        return _AsOf(self, generation)

    def locate_all(self, generations: Iterable[int]) -> dict[int, tuple[Record, int]]:
        """Return what `locate` returns for each of many generations; neighbours are found without another search.

        Raises
        ------
        LookupError, FailedPrecondition, Unavailable
            As for `locate`.
        """
        found: dict[int, tuple[Record, int]] = {}
        record: Record | None = None
        for generation in sorted(set(generations)):
            # The rows of a record with gaps cannot be counted.
            if record is not None and generation <= record.last_generation and not record.has_gaps:
                found[generation] = record, generation - record.first_generation
            else:
                record, _ = found[generation] = self.locate(generation)
        return found

    def records_from(self, generation: int) -> Iterator[Record]:
        """Yield the records that hold `generation` or later ones, including those that are appended meanwhile."""
        while (record := self._first_from(generation)) is not None:
            yield record
            generation = record.last_generation + 1

    def generation_at(self, time_us: int) -> int:
        """Return the last generation committed at or before `time_us`, microseconds since 1970 UTC; 0 for none.

        While the clock ran ahead, it counts what was committed as `CommitTimes` says. What compactions dropped does not
        count.
        """
        for page in reversed(self.pages):
            generation = page.times.generation_at(time_us)
            if generation:
                return generation
        return 0

    def generation_surely_before(self, time_us: int) -> int:
        """Return the last generation before the first one committed after `time_us`; see `CommitTimes`."""
        # Read in this order: what is added meanwhile is later than what is returned.
        last = self._last_generation
        _, pages, latest_us = self._pages
        # All pages but the last one, which grows, are known by the latest time in them and before.
        index = bisect_right(latest_us, time_us)
        if index < len(pages) and pages[index].times.latest_us > time_us:
            return pages[index].times.generation_surely_before(time_us)
        return last

    def backwards(self, generation: int) -> Iterator[tuple[Record, int]]:
        """Yield the records back from the one that holds `generation`, each with its number of rows up to it."""
        firsts, pages, _ = self._pages
        for page in reversed(pages[: bisect_right(firsts, generation)]):
            for index in range(bisect_right(page.firsts, generation) - 1, -1, -1):
                record = page.records[index]
                yield record, record.rows_until(generation)

    def _missing(self, generation: int, *, is_compacted: bool) -> Exception:
        """Return the error for a generation that no record holds."""
        oldest = self.horizon.generation
        if is_compacted and generation > oldest:
            return _erased(generation)
        if not 0 < generation <= oldest:
            return LookupError(f"generation {generation} is not in the log, which goes up to {self._last_generation}")
        return FailedPrecondition(
            f"what is needed of generation {generation} is no longer retained; the oldest that is, is {oldest}",
            code="snapshot_expired",
            field="max_generation",
            limit=oldest,
            value=generation,
        )

    def _first_from(self, generation: int) -> Record | None:
        """Return the first record that holds `generation` or a later one."""
        firsts, pages, _ = self._pages
        for page in pages[max(bisect_right(firsts, generation) - 1, 0) :]:
            index = max(bisect_right(page.firsts, generation) - 1, 0)
            for record in page.records[index : index + 2]:
                if record.last_generation >= generation:
                    return record
        return None

    def _add(self, segment: Segment, records: Sequence[Record]) -> None:
        """Append records of `segment`, which is that of the last page or a new one."""
        pages = self.pages
        if pages and pages[-1].segment is segment:
            pages[-1].add(records)
        else:
            with self._changing:
                self._set_pages([*self.pages, RecordPage(segment, records[0].first_generation, list(records))])
        self._last_generation = records[-1].last_generation

    def replace(self, old: Sequence[RecordPage], new: RecordPage) -> None:
        """Replace neighbouring pages by one that covers the same generations. Any thread may call it."""
        with self._changing:
            self.dropped_generation = max(self.dropped_generation, new.horizon.generation)
            pages = list(self.pages)
            start = pages.index(old[0])
            pages[start : start + len(old)] = [new]
            self._set_pages(pages)

    def _set_pages(self, pages: Sequence[RecordPage]) -> None:
        latest_us = tuple(accumulate((page.times.latest_us for page in pages[:-1]), max))
        # One assignment, so that a reader never sees the one without the other.
        self._pages = tuple(page.first_generation for page in pages), tuple(pages), latest_us


class _AsOf:
    """The context of `RecordTable.as_of`. Every recall enters two, and one of a generator costs more."""

    __slots__ = ("_generation", "_table")

    def __init__(self, table: RecordTable, generation: int) -> None:
        self._table = table
        self._generation = generation

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, FailedPrecondition) or error.code != "snapshot_expired":
            return
        if self._generation >= self._table.horizon.generation:
            raise _erased(error.value) from None


def _erased(generation: object) -> Unavailable:
    return Unavailable(
        f"the observation of generation {generation} was erased meanwhile; ask again",
        code="erased",
        field="generation",
        value=generation,
    )

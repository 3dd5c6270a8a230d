"""The records of a log, found by generation or by time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter

from engram.log.records.record import Record


class RecordTable:
    """Records with rising generations. One thread adds; any number of threads look, without locks.

    Parameters
    ----------
    records
        Those that are there, in order. The list is taken over.
    """

    def __init__(self, records: list[Record]) -> None:
        self._records = records
        self._first_generations = [record.first_generation for record in records]
        self._last_generation = records[-1].last_generation if records else 0

    @property
    def last_generation(self) -> int:
        """The generation of the last appended record, or 0."""
        return self._last_generation

    def records(self) -> Sequence[Record]:
        """All records in order; grows while the log is written."""
        return self._records

    def locate(self, generation: int) -> tuple[Record, int]:
        """The record that holds `generation`, and its row there.

        Raises
        ------
        LookupError
            If there is no such generation.
        """
        index = bisect_right(self._first_generations, generation) - 1
        if index >= 0:
            record = self._records[index]
            row = generation - record.first_generation
            if row < record.count:
                return record, row
        raise LookupError(f"generation {generation} is not in the log, which goes up to {self._last_generation}")

    def records_from(self, generation: int) -> Iterator[Record]:
        """The records from the one that holds `generation` on, up to the newest that is appended meanwhile."""
        index = max(bisect_right(self._first_generations, generation) - 1, 0)
        while index < len(self._first_generations):
            yield self._records[index]
            index += 1

    def generation_at(self, time_us: int) -> int:
        """The last generation that was written at or before `time_us`, microseconds since 1970 UTC; 0 for none."""
        index = bisect_right(self._records, time_us, key=attrgetter("committed_us"))
        return self._records[index - 1].last_generation if index else 0

    def backwards(self, generation: int) -> Iterator[tuple[Record, int]]:
        """The records from the one that holds `generation` back to the first, each with its rows up to there."""
        start = bisect_right(self._first_generations, generation) - 1
        for index in range(start, -1, -1):
            record = self._records[index]
            yield record, min(record.count, generation - record.first_generation + 1)

    def _add(self, records: Sequence[Record]) -> None:
        # Readers bisect the generations, so the records they lead to must be there first.
        self._records.extend(records)
        self._first_generations.extend(record.first_generation for record in records)
        self._last_generation = records[-1].last_generation

"""The records of a log, found by generation or by time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from engram.log.records.commit_times import CommitTimes
from engram.log.records.record import Record


class RecordTable:
    """Records with rising generations. One thread adds records; any number of threads read, without locks.

    Parameters
    ----------
    records
        The existing records, in order. The table takes ownership of the list.
    """

    def __init__(self, records: list[Record]) -> None:
        self._records = records
        self._first_generations = [record.first_generation for record in records]
        self._last_generation = records[-1].last_generation if records else 0
        self._times = CommitTimes(records)

    @property
    def last_generation(self) -> int:
        """The last generation of the last record, or 0 if there is none."""
        return self._last_generation

    def records(self) -> Sequence[Record]:
        """Return all records, in order. The sequence grows while the log is written."""
        return self._records

    def locate(self, generation: int) -> tuple[Record, int]:
        """Return the record that holds `generation`, and its row in that record.

        Raises
        ------
        LookupError
            If no record holds `generation`.
        """
        index = bisect_right(self._first_generations, generation) - 1
        if index >= 0:
            record = self._records[index]
            row = generation - record.first_generation
            if row < record.count:
                return record, row
        raise LookupError(f"generation {generation} is not in the log, which goes up to {self._last_generation}")

    def records_from(self, generation: int) -> Iterator[Record]:
        """Yield the records from the one that holds `generation` on, including those that are appended meanwhile."""
        index = max(bisect_right(self._first_generations, generation) - 1, 0)
        while index < len(self._first_generations):
            yield self._records[index]
            index += 1

    def generation_at(self, time_us: int) -> int:
        """Return the last generation committed at or before `time_us`, microseconds since 1970 UTC; 0 for none.

        While the clock ran ahead, it counts what was committed as `CommitTimes` says.
        """
        return self._times.generation_at(time_us)

    def generation_surely_before(self, time_us: int) -> int:
        """Return the last generation before the first one committed after `time_us`; see `CommitTimes`."""
        return self._times.generation_surely_before(time_us)

    def backwards(self, generation: int) -> Iterator[tuple[Record, int]]:
        """Yield the records back from the one that holds `generation`, each with its number of rows up to it."""
        start = bisect_right(self._first_generations, generation) - 1
        for index in range(start, -1, -1):
            record = self._records[index]
            yield record, min(record.count, generation - record.first_generation + 1)

    def _add(self, records: Sequence[Record]) -> None:
        # Readers bisect the generations without a lock, so the records must be added before their generations.
        self._records.extend(records)
        self._first_generations.extend(record.first_generation for record in records)
        self._last_generation = records[-1].last_generation
        self._times.add(records)

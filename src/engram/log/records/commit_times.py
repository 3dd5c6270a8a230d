"""The commit times of the records of a segment, as the wall clock gave them: it may have run ahead and come back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from operator import attrgetter

from engram.log.records.record import Record

_committed_us = attrgetter("committed_us")


class CommitTimes:
    """Finds generations by time. One thread adds records; any number of threads read, without locks.

    A record keeps the time that the clock gave, and the next one may have an earlier one. What was current at a time is
    judged by the least time of a record and all later ones: once the clock has come back, what was committed while it
    ran ahead counts as committed no later than what followed. What may be dropped by its age is judged by the greatest
    time of a record and all earlier ones, so that a clock that was once behind makes nothing look old.

    Parameters
    ----------
    records
        The existing records, in order.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        # The records that no later one is earlier than, and those that no earlier one is later than. In both lists,
        # times never fall. As long as the clock does not go back, both have all records.
        self._lowest: list[Record] = []
        self._highest: list[Record] = []
        self._last_generation = 0
        self.add(records)

    def add(self, records: Iterable[Record]) -> None:
        """Add records that follow those before."""
        for record in records:
            if self._lowest and self._lowest[-1].committed_us > record.committed_us:
                # A new list, because others may be searching this one.
                kept = bisect_right(self._lowest, record.committed_us, key=_committed_us)
                self._lowest = [*self._lowest[:kept], record]
            else:
                self._lowest.append(record)
            if not self._highest or self._highest[-1].committed_us <= record.committed_us:
                self._highest.append(record)
            self._last_generation = record.last_generation

    @property
    def latest_us(self) -> int:
        """The greatest time, in microseconds since 1970 UTC; 0 without records."""
        return self._highest[-1].committed_us if self._highest else 0

    def generation_at(self, time_us: int) -> int:
        """Return the last generation committed at or before `time_us`, microseconds since 1970 UTC; 0 for none."""
        lowest = self._lowest
        index = bisect_right(lowest, time_us, key=_committed_us)
        return lowest[index - 1].last_generation if index else 0

    def generation_surely_before(self, time_us: int) -> int:
        """Return the last generation before the first one that was committed after `time_us`.

        Everything up to it was superseded before `time_us`, if at all, by each time that the clock gave.
        """
        # Read in this order: what is added meanwhile is later than what is returned.
        last, highest = self._last_generation, self._highest
        index = bisect_right(highest, time_us, key=_committed_us)
        return last if index == len(highest) else highest[index].first_generation - 1

"""Rows in parts, each of which one request takes, and what is told of them as a whole."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from engram.errors import EngramError
from engram.model.batches.checks import BATCH_BYTES
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.observations import ObservationBatch

E = TypeVar("E", bound=EngramError)
_TOO_LARGE: Final = frozenset({BATCH_BYTES, "message_bytes", "json_bytes"})
# The row that an error is about.
_ROW: Final = re.compile(r"^(\w+)\[(\d+)\]")


class Parts(Iterator[slice]):
    """What divides rows into parts, in their order, for calls that wait and for coroutines.

    Parameters
    ----------
    count
        How many rows there are. A part has at most as many of them as one request takes.

    Examples
    --------
    >>> parts = Parts(len(rows))                                                # doctest: +SKIP
    >>> for part in parts:                                                      # doctest: +SKIP
    ...     with parts.storing(part):
    ...         store(rows[part])
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._stored = 0
        starts = range(0, count, BATCH_COUNT_MAX)
        # The next one is the last of the list.
        self._ahead = [slice(start, min(start + BATCH_COUNT_MAX, count)) for start in reversed(starts)]

    def __next__(self) -> slice:
        if not self._ahead:
            raise StopIteration
        return self._ahead.pop()

    @contextmanager
    def halving(self, part: slice) -> Iterator[None]:
        """Let a call inside of the block be refused because `part` has too many bytes: its halves come next instead.

        What else is refused of a row is told with the number that it has among all rows.
        """
        try:
            yield
        except EngramError as error:
            if error.code not in _TOO_LARGE or part.stop - part.start < 2:
                raise of_all_rows(error, part.start) from None
            middle = (part.start + part.stop) // 2
            self._ahead += [slice(middle, part.stop), slice(part.start, middle)]

    @contextmanager
    def storing(self, part: slice) -> Iterator[None]:
        """Store `part` inside of the block, or be refused as for `halving`; an error says how many rows are stored."""
        waiting = len(self._ahead)
        try:
            with self.halving(part):
                yield
        except EngramError as error:
            raise partly(error, self._stored, self._count) from None
        if len(self._ahead) == waiting:
            self._stored += part.stop - part.start


def rows_of(batch: ObservationBatch, part: slice) -> ObservationBatch:
    """Return the rows of a part; the batch itself, if these are all."""
    return batch if part.start == 0 and part.stop >= len(batch) else batch.rows(part.start, part.stop)


def of_all_rows(error: E, first: int) -> E:
    """Return an error about rows that begin with row `first` of all rows as one about all."""
    found = _ROW.match(error.field)
    if not first or found is None:
        return error
    told = _copied(error, f"{error.message} (counted from row {first} on)")
    told.field = f"{found[1]}[{int(found[2]) + first}]{error.field[found.end() :]}"
    return told


def partly(error: E, stored: int, count: int) -> E:
    """Return an error about one of several parts as one that says how many of all rows, from the first on, are done."""
    if not stored:
        return error
    told = _copied(error, f"{error.message}; of {count} rows, the first {stored} are done and stay done")
    told.stored_count = stored
    return told


def _copied(error: E, message: str) -> E:
    # A copy, because the error may be raised to others, too.
    told = copy.copy(error)
    told.message = message
    told.args = (message,)
    return told

"""Rows in parts, each of which one call takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX

_TOO_LARGE: Final = frozenset({"batch_bytes", "message_bytes"})


class Parts(Iterator[slice]):
    """What divides rows into parts, in their order, for calls that wait and for coroutines.

    Parameters
    ----------
    count
        How many rows there are. A part has at most as many of them as one call takes.

    Examples
    --------
    >>> parts = Parts(len(ids))                                                 # doctest: +SKIP
    >>> for part in parts:                                                      # doctest: +SKIP
    ...     with parts.halving(part):
    ...         space.observe(ids[part], vectors[part])
    """

    def __init__(self, count: int) -> None:
        starts = range(0, count, BATCH_COUNT_MAX)
        # The next one is the last of the list.
        self._ahead = [slice(start, min(start + BATCH_COUNT_MAX, count)) for start in reversed(starts)]

    def __next__(self) -> slice:
        if not self._ahead:
            raise StopIteration
        return self._ahead.pop()

    @contextmanager
    def halving(self, part: slice) -> Iterator[None]:
        """Let a call inside of the block be refused because `part` has too many bytes: its halves come next instead."""
        try:
            yield
        except InvalidInput as error:
            if error.code not in _TOO_LARGE or part.stop - part.start < 2:
                raise
            middle = (part.start + part.stop) // 2
            self._ahead += [slice(middle, part.stop), slice(part.start, middle)]

"""Which generations have what: ascending lists that one thread extends and any thread reads without a lock."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

_NONE: Final = np.empty(0, dtype=np.int64)
_FIRST_ROOM: Final = 4
# A key, its place in the dictionary, and the objects behind it, on average.
_KEY_BYTES: Final = 200


class GrowingArray:
    """A column that is extended at its end.

    `view` is replaced, never changed, so whoever holds one keeps what it had.
    """

    __slots__ = ("_room", "view")

    def __init__(self, dtype: DTypeLike) -> None:
        self._room: NDArray[Any] = np.empty(_FIRST_ROOM, dtype)
        self.view: NDArray[Any] = self._room[:0]

    def extend(self, values: Sequence[Any]) -> None:
        """Add `values` behind the others."""
        count, needed = len(self.view), len(self.view) + len(values)
        if needed > len(self._room):
            room = np.empty(max(needed, 2 * len(self._room)), self._room.dtype)
            room[:count] = self.view
            self._room = room
        self._room[count:needed] = values
        self.view = self._room[:needed]

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self._room.nbytes


class Postings:
    """Lists of generations by key. A key that occurs once, as most of many different values do, costs no array."""

    def __init__(self) -> None:
        self._lists: dict[Hashable, int | GrowingArray] = {}
        self.nbytes = 0
        """About how much memory it takes."""

    def __len__(self) -> int:
        return len(self._lists)

    def extend(self, key: Hashable, generations: Sequence[int]) -> None:
        """Add `generations`, ascending and later than the others of `key`."""
        known = self._lists.get(key)
        if known is None:
            self.nbytes += _KEY_BYTES
            if len(generations) == 1:
                self._lists[key] = generations[0]
                return
        if not isinstance(known, GrowingArray):
            grown = GrowingArray(np.int64)
            grown.extend([*([] if known is None else [known]), *generations])
            # Only now: a reader must not miss what it saw before.
            self._lists[key] = grown
            self.nbytes += grown.nbytes
            return
        before = known.nbytes
        known.extend(generations)
        self.nbytes += known.nbytes - before

    def get(self, key: Hashable) -> NDArray[np.int64]:
        """The generations of `key`, ascending."""
        known = self._lists.get(key)
        if known is None:
            return _NONE
        return known.view if isinstance(known, GrowingArray) else np.array([known], dtype=np.int64)


class Numbers:
    """The numbers that generations have under one key."""

    def __init__(self) -> None:
        self._generations = GrowingArray(np.int64)
        self._values = GrowingArray(np.float64)

    def extend(self, generations: Sequence[int], values: Sequence[float]) -> None:
        """Add numbers of later generations."""
        self._values.extend(values)
        self._generations.extend(generations)

    def between(self, low: float | None, high: float | None) -> NDArray[np.int64]:
        """The generations whose number lies within `low` and `high`, ascending."""
        generations = self._generations.view
        # Values are added first, so there are at least as many.
        values = self._values.view[: len(generations)]
        fits = np.ones(len(values), dtype=bool)
        if low is not None:
            fits &= values >= low
        if high is not None:
            fits &= values <= high
        found: NDArray[np.int64] = generations[fits]
        return found

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self._generations.nbytes + self._values.nbytes

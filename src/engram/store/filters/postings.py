"""Postings: ascending lists of generations by key, which one thread extends and any thread reads without locks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_NONE: Final = np.empty(0, dtype=np.int64)
_FIRST_ROOM: Final = 4
# Average memory of a key, of its place in the dictionary, and of the objects behind it.
_KEY_BYTES: Final = 200


class GrowingArray:
    """An array that one thread extends at its end.

    Attributes
    ----------
    view
        The values so far. It is replaced and never changed, so a reader keeps the values it saw.
    """

    __slots__ = ("_room", "view")

    def __init__(self, dtype: DTypeLike) -> None:
        self._room: NDArray[Any] = np.empty(_FIRST_ROOM, dtype)
        self.view: NDArray[Any] = self._room[:0]

    def extend(self, values: ArrayLike) -> None:
        """Append `values`."""
        count, needed = len(self.view), len(self.view) + len(values)  # type: ignore[arg-type]
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
    """Lists of generations by key. Each key also has a number, its place in the order in which keys came.

    A key that occurs once costs no array. Where there are many distinct values, most of them occur once.
    """

    __slots__ = ("_lists", "_numbers", "nbytes")

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._lists: list[int | GrowingArray] = []
        self.nbytes: int = 0
        """About how much memory it takes."""

    def __len__(self) -> int:
        return len(self._lists)

    def extend(self, key: Hashable, generations: Sequence[int]) -> int:
        """Append `generations`, which must ascend and be later than those already under `key`; return its number."""
        number = self._numbers.get(key)
        if number is None:
            number = len(self._lists)
            self.nbytes += _KEY_BYTES
            self._lists.append(generations[0] if len(generations) == 1 else self._grown(generations))
            self._numbers[key] = number
            return number
        known = self._lists[number]
        if isinstance(known, GrowingArray):
            before = known.nbytes
            known.extend(generations)
            self.nbytes += known.nbytes - before
        else:
            # The list is replaced only when it is complete: a reader must not miss generations that it saw before.
            self._lists[number] = self._grown([known, *generations])
        return number

    def get(self, key: Hashable) -> NDArray[np.int64]:
        """Return the generations of `key`: int64, shape ``(n,)``, ascending."""
        number = self._numbers.get(key)
        return _NONE if number is None else self.numbered(number)

    def numbered(self, number: int) -> NDArray[np.int64]:
        """Return the generations of the key with this number: int64, shape ``(n,)``, ascending."""
        known = self._lists[number]
        return known.view if isinstance(known, GrowingArray) else np.array([known], dtype=np.int64)

    def _grown(self, generations: Sequence[int]) -> GrowingArray:
        grown = GrowingArray(np.int64)
        grown.extend(generations)
        self.nbytes += grown.nbytes
        return grown

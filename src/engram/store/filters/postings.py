"""Postings: ascending lists of generations by key, which one thread extends and any thread reads without locks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

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

    def extend(self, values: Sequence[Any]) -> None:
        """Append `values`."""
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
    """Lists of generations by key.

    A key that occurs once costs no array. Where there are many distinct values, most of them occur once.
    """

    def __init__(self) -> None:
        self._lists: dict[Hashable, int | GrowingArray] = {}
        self.nbytes: int = 0
        """About how much memory it takes."""

    def __len__(self) -> int:
        return len(self._lists)

    def extend(self, key: Hashable, generations: Sequence[int]) -> None:
        """Append `generations`, which must ascend and be later than those already under `key`."""
        known = self._lists.get(key)
        if known is None:
            self.nbytes += _KEY_BYTES
            if len(generations) == 1:
                self._lists[key] = generations[0]
                return
        if not isinstance(known, GrowingArray):
            grown = GrowingArray(np.int64)
            grown.extend([*([] if known is None else [known]), *generations])
            # The list is replaced only when it is complete: a reader must not miss generations that it saw before.
            self._lists[key] = grown
            self.nbytes += grown.nbytes
            return
        before = known.nbytes
        known.extend(generations)
        self.nbytes += known.nbytes - before

    def drop(self, keys: Sequence[Hashable], is_kept: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> None:
        """Remove generations from the lists of `keys`; nothing may be appended meanwhile.

        Parameters
        ----------
        is_kept
            Returns for an array of generations which of them stay.
        """
        lists = [self.get(key) for key in keys]
        kept = is_kept(np.concatenate(lists)) if lists else np.empty(0, dtype=bool)
        done = 0
        for key, generations in zip(keys, lists, strict=True):
            stays = kept[done : done + len(generations)]
            done += len(generations)
            if len(generations) and not stays.all():
                self._replace(key, generations[stays].tolist())

    def keys(self) -> list[Hashable]:
        """Return the keys as of now."""
        return list(self._lists)

    def _replace(self, key: Hashable, generations: list[int]) -> None:
        known = self._lists[key]
        self.nbytes -= known.nbytes if isinstance(known, GrowingArray) else 0
        if len(generations) > 1:
            fewer = GrowingArray(np.int64)
            fewer.extend(generations)
            self._lists[key] = fewer
            self.nbytes += fewer.nbytes
        elif generations:
            self._lists[key] = generations[0]
        else:
            del self._lists[key]
            self.nbytes -= _KEY_BYTES

    def get(self, key: Hashable) -> NDArray[np.int64]:
        """Return the generations of `key`: int64, shape ``(n,)``, ascending."""
        known = self._lists.get(key)
        if known is None:
            return _NONE
        return known.view if isinstance(known, GrowingArray) else np.array([known], dtype=np.int64)


class Numbers:
    """The numbers that generations have under one metadata key."""

    def __init__(self) -> None:
        self._generations = GrowingArray(np.int64)
        self._values = GrowingArray(np.float64)

    def extend(self, generations: Sequence[int], values: Sequence[float]) -> None:
        """Append the numbers of later generations."""
        self._values.extend(values)
        self._generations.extend(generations)

    def kept(self, is_kept: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> Numbers | None:
        """Return the numbers of generations that stay; None if there are none. Nothing may be appended meanwhile."""
        generations = self._generations.view
        stays = is_kept(generations)
        if not stays.any():
            return None
        fewer = Numbers()
        fewer.extend(generations[stays].tolist(), self._values.view[: len(stays)][stays].tolist())
        return fewer

    def between(self, low: float | None, high: float | None) -> NDArray[np.int64]:
        """Return the generations whose number lies within `low` and `high`, both included; None leaves a side open.

        Returns
        -------
        NDArray[np.int64]
            Shape ``(n,)``, ascending.
        """
        generations = self._generations.view
        # Values are appended first, so there is one for every generation in the view.
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

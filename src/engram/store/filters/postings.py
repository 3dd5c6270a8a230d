"""Postings: ascending lists of generations by key, which one thread extends and any thread reads without locks."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from engram import _core
from engram.store.filters.rows import Bitmap, Window

_NONE: Final = np.empty(0, dtype=np.int64)
_FIRST_ROOM: Final = 4
# Bits for all generations from the first to the last one of a list take at most half as much memory as a list that has
# this share of them. Shorter lists are marked in no time.
_DENSE_SHARE: Final = 32
_DENSE_MIN: Final = 1024
# Average memory of a key, of its place in the dictionary, and of the objects behind it.
_KEY_BYTES: Final = 200
# What a key has in place of its only generation: it is gone; or the number of its array, which is counted down from
# the last of these.
_GONE: Final = -1
_FIRST_ARRAY: Final = -2

Keeps = Callable[[NDArray[np.int64]], NDArray[np.bool_]]
"""Returns which of some generations stay in the index."""


class _Marks(NamedTuple):
    """The first `known` values of an array of generations as bits, the first of which is that of `begin`."""

    known: int
    words: NDArray[np.uint64]
    begin: int


_NO_MARKS: Final = _Marks(0, np.empty(0, dtype=np.uint64), 0)


class GrowingArray:
    """An array that one thread extends at its end.

    Attributes
    ----------
    view
        The values so far. It is replaced and never changed, so a reader keeps the values it saw.
    """

    __slots__ = ("_marks", "_room", "view")

    def __init__(self, dtype: DTypeLike) -> None:
        self._room: NDArray[Any] = np.empty(_FIRST_ROOM, dtype)
        self.view: NDArray[Any] = self._room[:0]
        self._marks = _NO_MARKS

    def extend(self, values: ArrayLike) -> None:
        """Append `values`."""
        count, needed = len(self.view), len(self.view) + len(values)  # type: ignore[arg-type]
        if needed > len(self._room):
            room = np.empty(max(needed, 2 * len(self._room)), self._room.dtype)
            room[:count] = self.view
            self._room = room
        self._room[count:needed] = values
        self.view = self._room[:needed]

    def widen(self, dtype: DTypeLike) -> None:
        """Have room for values of a wider type from now on."""
        room = np.empty(len(self._room), dtype)
        room[: len(self.view)] = self.view
        self._room, self.view = room, room[: len(self.view)]

    def adopt(self, values: NDArray[Any]) -> None:
        """Have `values`, which nobody else changes, in place of the values so far."""
        self._marks = _NO_MARKS
        self._room = self.view = values

    def bits_within(self, window: Window) -> NDArray[np.uint64]:
        """Return which generations of a window are among the values, which are generations and ascend."""
        marks, view = self._marks, self.view
        if marks.known < len(view):
            begin = int(view[0]) // 64 * 64
            words = np.zeros((int(view[-1]) - begin) // 64 + 1, dtype=np.uint64)
            words[: len(marks.words)] = marks.words
            _core.mark(words, begin, view[marks.known :])
            # Threads that come together all make the same, and nobody changes what another one may have.
            self._marks = marks = _Marks(len(view), words, begin)
        return window.bits_of(Bitmap(marks.words, marks.begin))

    @property
    def is_dense(self) -> bool:
        """Whether bits take less memory than the values, which are generations and ascend."""
        view = self.view
        return len(view) >= _DENSE_MIN and int(view[-1]) - int(view[0]) < len(view) * _DENSE_SHARE

    def taken(self, after: int, until: int, keeps: Keeps) -> NDArray[np.int64]:
        """Return which places hold generations behind `after`, up to `until`, that stay: int64, ascending."""
        start, end = np.searchsorted(self.view, [after + 1, until + 1]).tolist()
        places: NDArray[np.int64] = start + np.flatnonzero(keeps(self.view[start:end]))
        return places

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self._room.nbytes + self._marks.words.nbytes

    @property
    def nbytes_likely(self) -> int:
        """Memory in bytes, with bits that filters may ask for."""
        return self._room.nbytes * 3 // 2 if len(self._room) >= _DENSE_MIN else self._room.nbytes


NO_GENERATIONS: Final = GrowingArray(np.int64)
"""The generations of what nothing has; not to be extended."""


class ShorterList(NamedTuple):
    """A list of generations without those that do not stay.

    Parameters
    ----------
    key
        The key of the list.
    known
        So many of the first generations of the list were looked at.
    kept
        Those of them that stay: int64, shape ``(n,)``, ascending.
    """

    key: Hashable
    known: int
    kept: NDArray[np.int64]


class Postings:
    """Lists of generations by key. Each key also has a number, its place in the order in which keys came.

    A key that occurs once costs no array. Where there are many distinct values, most of them occur once. What there is
    for each key is no list, because the garbage collector would look at every element of it again and again.
    """

    __slots__ = ("_arrays", "_lists", "_numbers", "nbytes")

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        # The only generation of each key, or what stands in its place.
        self._lists = array("q")
        self._arrays: list[GrowingArray] = []
        self.nbytes: int = 0
        """About how much memory it takes."""

    def __len__(self) -> int:
        return len(self._numbers)

    def extend(self, key: Hashable, generations: Sequence[int]) -> int:
        """Append `generations`, which must ascend and be later than those already under `key`; return its number."""
        number = self._numbers.get(key)
        if number is None:
            number = len(self._lists)
            self.nbytes += _KEY_BYTES
            self._lists.append(generations[0] if len(generations) == 1 else self._listed(self._grown(generations)))
            self._numbers[key] = number
            return number
        known = self._lists[number]
        if known <= _FIRST_ARRAY:
            grown = self._arrays[_FIRST_ARRAY - known]
            before = grown.nbytes_likely
            grown.extend(generations)
            self.nbytes += grown.nbytes_likely - before
        else:
            # The list is replaced only when it is complete: a reader must not miss generations that it saw before.
            self._lists[number] = self._listed(self._grown([known, *generations]))
        return number

    def keys(self) -> list[Hashable]:
        """Return the keys as of now."""
        return list(self._numbers)

    def shortened(self, keeps: Keeps, keys_max: int, rows_max: int) -> Iterator[list[ShorterList]]:
        """Yield the lists that get shorter, a few at a time; more may be appended to them meanwhile.

        Parameters
        ----------
        keeps
            Tells which generations stay.
        keys_max, rows_max
            So many keys are looked at together at most, and so many generations, if it is more than one key.
        """
        known = self.keys()
        keys: list[Hashable] = []
        lists: list[NDArray[np.int64]] = []
        rows = 0
        for key in known:
            generations = self.get(key)
            if keys and (len(keys) == keys_max or rows + len(generations) > rows_max):
                yield _shorter(keys, lists, keeps)
                keys, lists, rows = [], [], 0
            keys.append(key)
            lists.append(generations)
            rows += len(generations)
        if lists:
            yield _shorter(keys, lists, keeps)

    def shorten(self, lists: Iterable[ShorterList]) -> None:
        """Put shorter lists in the places of those that they were made of; nothing may be appended meanwhile."""
        for key, known, kept in lists:
            self._replace(key, kept, self.get(key)[known:])

    def get(self, key: Hashable) -> NDArray[np.int64]:
        """Return the generations of `key`: int64, shape ``(n,)``, ascending."""
        number = self._numbers.get(key)
        return _NONE if number is None else self.numbered(number)

    def listed(self, key: Hashable) -> GrowingArray:
        """Return the generations of `key`, as they grow; if it has several."""
        number = self._numbers.get(key)
        known = _GONE if number is None else self._lists[number]
        if known <= _FIRST_ARRAY:
            return self._arrays[_FIRST_ARRAY - known]
        if known == _GONE:
            return NO_GENERATIONS
        only = GrowingArray(np.int64)
        only.adopt(np.array([known], dtype=np.int64))
        return only

    def number(self, key: Hashable) -> int | None:
        """Return the number of `key`; None if there is no such key."""
        return self._numbers.get(key)

    def numbered(self, number: int) -> NDArray[np.int64]:
        """Return the generations of the key with this number: int64, shape ``(n,)``, ascending."""
        known = self._lists[number]
        if known <= _FIRST_ARRAY:
            return self._arrays[_FIRST_ARRAY - known].view
        return _NONE if known == _GONE else np.array([known], dtype=np.int64)

    def _replace(self, key: Hashable, kept: NDArray[np.int64], later: NDArray[np.int64]) -> None:
        number = self._numbers[key]
        known = self._lists[number]
        if len(kept) or len(later):
            # What has lost some generations had several, so it has an array, and keeps one.
            place = _FIRST_ARRAY - known
            shorter = GrowingArray(np.int64)
            shorter.adopt(kept)
            if len(later):
                shorter.extend(later)
            self.nbytes += shorter.nbytes_likely - self._arrays[place].nbytes_likely
            self._arrays[place] = shorter
            return
        # Its number is not used again, so that no reader finds the list of another key.
        del self._numbers[key]
        self._lists[number] = _GONE
        self.nbytes -= _KEY_BYTES
        if known <= _FIRST_ARRAY:
            place = _FIRST_ARRAY - known
            self.nbytes -= self._arrays[place].nbytes_likely
            # A reader may have seen that there is an array, and not read it yet.
            self._arrays[place] = NO_GENERATIONS

    def _listed(self, grown: GrowingArray) -> int:
        """Return what stands for an array, which is added to the others, in the place of an only generation."""
        self._arrays.append(grown)
        return _FIRST_ARRAY - (len(self._arrays) - 1)

    def _grown(self, generations: Sequence[int]) -> GrowingArray:
        grown = GrowingArray(np.int64)
        grown.extend(generations)
        self.nbytes += grown.nbytes_likely
        return grown


def _shorter(keys: Sequence[Hashable], lists: Sequence[NDArray[np.int64]], keeps: Keeps) -> list[ShorterList]:
    kept = keeps(np.concatenate(lists))
    shorter: list[ShorterList] = []
    done = 0
    for key, generations in zip(keys, lists, strict=True):
        stays = kept[done : done + len(generations)]
        done += len(generations)
        if not stays.all():
            shorter.append(ShorterList(key, len(generations), generations[stays]))
    return shorter

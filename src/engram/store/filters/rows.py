"""Sets of observations: the rows that pass a filter, as an ascending list or as one flag for each generation."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_WORD_BITS: Final = 64
# Up to this share of the window, a list is cheaper to go on with than flags.
_LISTED_SHARE: Final = 32


class Window(NamedTuple):
    """The generations that a filter looks at, from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """Number of generations."""
        return max(0, self.last - self.first + 1)

    @property
    def listed_max(self) -> int:
        """Number of rows up to which they are listed."""
        return self.size // _LISTED_SHARE + 1

    def cut(self, generations: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of ascending generations that lie in the window."""
        start, end = np.searchsorted(generations, [self.first, self.last + 1])
        return generations[start:end]


class Bitmap(NamedTuple):
    """A set of generations: bit ``g % 64`` of word ``(g - begin) // 64`` is set.

    Parameters
    ----------
    words
        uint64, shape ``(n,)``.
    begin
        The generation of the first bit, a multiple of 64.
    """

    words: NDArray[np.uint64]
    begin: int


class PassingRows:
    """A set of observations in a window, which is never changed.

    Parameters
    ----------
    window
        The window.
    listed
        The generations: int64, shape ``(n,)``, ascending and distinct. None: there are flags.
    flags
        For each generation of the window, whether it is in the set: shape ``(window.size,)``. None: they are listed.
    """

    __slots__ = ("__dict__", "_flags", "_listed", "window")

    def __init__(
        self, window: Window, listed: NDArray[np.int64] | None = None, flags: NDArray[np.bool_] | None = None
    ) -> None:
        self.window = window
        self._listed = listed
        self._flags = flags

    @property
    def is_listed(self) -> bool:
        """Whether the generations are at hand as a list."""
        return self._listed is not None

    @cached_property
    def count(self) -> int:
        """Number of observations."""
        if self._listed is not None:
            return len(self._listed)
        assert self._flags is not None  # noqa: S101  (for the type checker: one of the two is there)
        return int(np.count_nonzero(self._flags))

    def __len__(self) -> int:
        return self.count

    @property
    def generations(self) -> NDArray[np.int64]:
        """The generations: int64, shape ``(n,)``, ascending."""
        if self._listed is not None:
            return self._listed
        assert self._flags is not None  # noqa: S101  (for the type checker: one of the two is there)
        return np.flatnonzero(self._flags) + self.window.first

    @property
    def flags(self) -> NDArray[np.bool_]:
        """For each generation of the window, whether it is in the set: shape ``(window.size,)``."""
        return self._flags if self._flags is not None else flagged(self.window, [self.generations])

    def best_form(self) -> PassingRows:
        """Return the same set, listed if it is small."""
        if self._listed is None and self.count <= self.window.listed_max:
            return PassingRows(self.window, self.generations)
        return self

    def has(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` are in the set: shape ``(n,)``."""
        if self._listed is not None:
            return among(self._listed, generations)
        assert self._flags is not None  # noqa: S101  (for the type checker: one of the two is there)
        places = generations - self.window.first
        inside = (places >= 0) & (places < self.window.size)
        found = np.zeros(len(generations), dtype=bool)
        found[inside] = self._flags[places[inside]]
        return found

    def bitmap(self) -> Bitmap:
        """Return the set as a bitmap."""
        if self._listed is not None:
            return bitmap(self._listed)
        # Not from generation 0 on: what came before the window may be long gone.
        skipped = self.window.first % _WORD_BITS
        count = skipped + self.window.size
        flags = np.zeros(count + -count % _WORD_BITS, dtype=bool)
        flags[skipped:count] = self._flags
        return Bitmap(np.packbits(flags, bitorder="little").view(np.uint64), self.window.first - skipped)


def bitmap(generations: NDArray[np.int64]) -> Bitmap:
    """Return `generations`, which must ascend, as a bitmap."""
    begin = int(generations[0]) if len(generations) else 0
    begin -= begin % _WORD_BITS
    count = int(generations[-1]) + 1 - begin if len(generations) else 0
    flags = np.zeros(count + -count % _WORD_BITS, dtype=bool)
    flags[generations - begin] = True
    return Bitmap(np.packbits(flags, bitorder="little").view(np.uint64), begin)


def flagged(window: Window, lists: Iterable[NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Return one flag for each generation of the window, set where one of `lists`, which lie in it, has it."""
    flags = np.zeros(window.size, dtype=bool)
    for generations in lists:
        flags[generations - window.first] = True
    return flags


def among(ascending: NDArray[np.int64], generations: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of `generations` are in a sorted list: shape ``(n,)``."""
    if not len(ascending):
        return np.zeros(len(generations), dtype=bool)
    places = np.searchsorted(ascending, generations)
    places[places == len(ascending)] = 0
    found: NDArray[np.bool_] = ascending[places] == generations
    return found

"""Sets of observations: the rows that pass a filter, as an ascending list or as one flag for each generation."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_WORD_BITS: Final = 64
_WORD_BYTES: Final = _WORD_BITS // 8
# Up to this share of the window, a list is cheaper to go on with than flags.
_LISTED_SHARE: Final = 32
# So many generations are turned into places at once, so that these are still in the cache when they are used.
_PLACES_AT_ONCE: Final = 1 << 15


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
        self.window: Window = window
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
        words = _blank_words(skipped + self.window.size)
        # The first word by itself, so that the other flags, of which there may be very many, need not be moved.
        head = -skipped % _WORD_BITS
        first = np.packbits(np.concatenate([np.zeros(skipped, dtype=bool), self.flags[:head]]), bitorder="little")
        rest = np.packbits(self.flags[head:], bitorder="little")
        octets, begin = words.view(np.uint8), _WORD_BYTES if skipped else 0
        octets[: len(first)] = first
        octets[begin : begin + len(rest)] = rest
        return Bitmap(words, self.window.first - skipped)


def bitmap(generations: NDArray[np.int64]) -> Bitmap:
    """Return `generations`, which must ascend, as a bitmap."""
    if not len(generations):
        return Bitmap(_blank_words(0), 0)
    begin = int(generations[0]) // _WORD_BITS * _WORD_BITS
    words = _blank_words(int(generations[-1]) + 1 - begin)
    # No flag for each generation: a few may be far apart.
    places = generations - begin
    numbers = places // _WORD_BITS
    bits: NDArray[np.uint64] = np.left_shift(np.uint64(1), (places % _WORD_BITS).astype(np.uint64))
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    words[numbers[starts]] = np.bitwise_or.reduceat(bits, starts)
    return Bitmap(words, begin)


def _blank_words(bits: int) -> NDArray[np.uint64]:
    """Return zeros with room for so many bits: uint64, shape ``(n,)``."""
    return np.zeros(-(-bits // _WORD_BITS), dtype=np.uint64)


def flagged(window: Window, lists: Iterable[NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Return one flag for each generation of the window, set where one of `lists`, which lie in it, has it."""
    flags = np.zeros(window.size, dtype=bool)
    for generations in lists:
        for start in range(0, len(generations), _PLACES_AT_ONCE):
            flags[generations[start : start + _PLACES_AT_ONCE] - window.first] = True
    return flags


def marked(window: Window, generations: NDArray[np.int64], passed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return one flag for each generation of the window, which `passed` says for each of `generations`.

    Others, which are not among `generations`, do not pass.
    """
    flags = np.zeros(window.size, dtype=bool)
    for start in range(0, len(generations), _PLACES_AT_ONCE):
        part = slice(start, start + _PLACES_AT_ONCE)
        flags[generations[part] - window.first] = passed[part]
    return flags


def among(ascending: NDArray[np.int64], generations: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of `generations` are in a sorted list: shape ``(n,)``."""
    if not len(ascending):
        return np.zeros(len(generations), dtype=bool)
    places = np.searchsorted(ascending, generations)
    places[places == len(ascending)] = 0
    found: NDArray[np.bool_] = ascending[places] == generations
    return found

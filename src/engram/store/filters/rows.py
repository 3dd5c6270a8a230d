"""Sets of observations: the rows that pass a filter, as an ascending list or as one bit for each generation."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram import _core

_WORD_BITS: Final = 64
_ALL: Final = np.uint64(2**_WORD_BITS - 1)
# Up to this share of the window, a list is cheaper to go on with than bits.
_LISTED_SHARE: Final = 128


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

    @property
    def begin(self) -> int:
        """The generation of the first bit of a set in this window: `first`, or one of the few before it."""
        return self.first // _WORD_BITS * _WORD_BITS

    def blank(self) -> NDArray[np.uint64]:
        """Return a bit for each generation, which is not set: uint64."""
        return _blank_words(self.last + 1 - self.begin)

    def whole(self) -> NDArray[np.uint64]:
        """Return a bit for each generation, which is set, and none for those outside: uint64."""
        words = self.blank()
        if len(words):
            words[:] = _ALL
            words[0] &= _ALL << np.uint64(self.first - self.begin)
            words[-1] &= _ALL >> np.uint64(-(self.last + 1) % _WORD_BITS)
        return words

    def bits_of(self, bitmap: Bitmap) -> NDArray[np.uint64]:
        """Return which generations of the window are in a bitmap: uint64, as `blank` has bits for them."""
        words, skipped = self.whole(), (self.begin - bitmap.begin) // _WORD_BITS
        start, end = max(0, -skipped), max(0, len(bitmap.words) - skipped)
        words[:start] = words[end:] = 0
        words[start:end] &= bitmap.words[skipped + start : max(0, skipped + len(words))]
        return words

    def cut(self, generations: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of ascending generations that lie in the window."""
        start, end = self.span_in(generations)
        return generations if end - start == len(generations) else generations[start:end]

    def span_in(self, generations: NDArray[np.int64]) -> tuple[int, int]:
        """Return begin and end of those of ascending generations that lie in the window."""
        count = len(generations)
        # Most windows have all of them, which takes less to see than to look for the ends.
        if not count or (generations[0] >= self.first and generations[-1] <= self.last):
            return 0, count
        start, end = generations.searchsorted((self.first, self.last + 1)).tolist()
        return start, end


class PassingRows:
    """A set of observations in a window, which is never changed.

    Parameters
    ----------
    window
        The window.
    listed
        The generations: int64, shape ``(n,)``, ascending and distinct. None: there are bits.
    words
        For each generation of the window, whether it is in the set: uint64, as `Window.blank` has bits for them. None:
        they are listed.
    """

    __slots__ = ("__dict__", "_listed", "_words", "window")

    def __init__(
        self, window: Window, listed: NDArray[np.int64] | None = None, words: NDArray[np.uint64] | None = None
    ) -> None:
        self.window: Window = window
        self._listed = listed
        self._words = words

    @property
    def is_listed(self) -> bool:
        """Whether the generations are at hand as a list."""
        return self._listed is not None

    @cached_property
    def count(self) -> int:
        """Number of observations."""
        return _core.count_bits(self.words) if self._listed is None else len(self._listed)

    def __len__(self) -> int:
        return self.count

    @property
    def generations(self) -> NDArray[np.int64]:
        """The generations: int64, shape ``(n,)``, ascending."""
        return _core.listed_bits(self.words, self.window.begin) if self._listed is None else self._listed

    @property
    def words(self) -> NDArray[np.uint64]:
        """For each generation of the window, whether it is in the set: uint64, as `Window.blank` has bits for them."""
        return marked(self.window, [self.generations]) if self._words is None else self._words

    def best_form(self) -> PassingRows:
        """Return the same set, listed if it is small."""
        if self._listed is None and self.count <= self.window.listed_max:
            return PassingRows(self.window, self.generations)
        return self

    def has(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` are in the set: shape ``(n,)``."""
        if self._listed is not None:
            return among(self._listed, generations)
        inside = (generations >= self.window.first) & (generations <= self.window.last)
        found = np.zeros(len(generations), dtype=bool)
        found[inside] = are_set(self.words, generations[inside] - self.window.begin)
        return found

    def bitmap(self) -> Bitmap:
        """Return the set as a bitmap."""
        return Bitmap(self.words, self.window.begin) if self._listed is None else bitmap(self._listed)


def bitmap(generations: NDArray[np.int64]) -> Bitmap:
    """Return `generations`, which must ascend, as a bitmap."""
    if not len(generations):
        return Bitmap(_blank_words(0), 0)
    # No bit for each generation from the first one of the space on: a few may be far behind.
    window = Window(int(generations[0]), int(generations[-1]))
    return Bitmap(marked(window, [generations]), window.begin)


def _blank_words(bits: int) -> NDArray[np.uint64]:
    """Return zeros with room for so many bits: uint64, shape ``(n,)``."""
    return np.zeros(max(0, -(-bits // _WORD_BITS)), dtype=np.uint64)


def marked(window: Window, lists: Iterable[NDArray[np.int64]]) -> NDArray[np.uint64]:
    """Return a bit for each generation of the window, set where one of `lists`, which ascend and lie in it, has it."""
    words = window.blank()
    for generations in lists:
        _core.mark(words, window.begin, generations)
    return words


def are_set(words: NDArray[np.uint64], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the bits at `places` are set: shape ``(n,)``."""
    shifts = (places % _WORD_BITS).astype(np.uint64)
    found: NDArray[np.bool_] = (words[places // _WORD_BITS] >> shifts & np.uint64(1)).astype(bool)
    return found


def packed(flags: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return a bit for each of `flags`: uint64, shape ``(n,)``."""
    words = _blank_words(len(flags))
    octets = np.packbits(flags, bitorder="little")
    words.view(np.uint8)[: len(octets)] = octets
    return words


def unpacked(words: NDArray[np.uint64], count: int) -> NDArray[np.bool_]:
    """Return the first `count` bits as flags: shape ``(count,)``."""
    return np.unpackbits(words.view(np.uint8), count=count, bitorder="little").view(np.bool_)


def among(ascending: NDArray[np.int64], generations: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of `generations` are in an ascending list: shape ``(n,)``."""
    if not len(ascending):
        return np.zeros(len(generations), dtype=bool)
    places = np.searchsorted(ascending, generations)
    places[places == len(ascending)] = 0
    found: NDArray[np.bool_] = ascending[places] == generations
    return found

"""Plans: how the conditions of a filter are evaluated on the filter index (docs/decisions/0017)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.store.filters.columns import CHUNK_BITS, ColumnChunk, Columns
from engram.store.filters.rows import PassingRows, Window, among, are_set, marked, packed

Places = NDArray[np.int64] | slice

# To look for a generation in a list takes about as long as to mark so many generations, and to mark one as long as to
# make so many blank bits.
_MARKS_PER_SEARCH: Final = 64
_BITS_PER_MARK: Final = 64
ROWS_PER_MARK: Final = 4
"""To mark a row of a list takes about as long as to look at the texts or numbers of so many rows."""
BYTES_PER_MARK: Final = 32
"""The same, where the texts or numbers take a byte by row."""
# To look for a generation among those that have a value takes about as long as to count so many bits.
_BITS_PER_LOOK: Final = 2048


class Plan(ABC):
    """How one condition is evaluated in one window."""

    count_max: int
    """At most so many rows meet the condition."""
    is_whole: bool = False
    """Whether it is known, without looking at each, that all rows of the window meet the condition."""
    values: object = None
    """The values that are looked at, if one look can tell of several conditions; None: it cannot."""

    def __init__(self, window: Window, count_max: int) -> None:
        self.window = window
        self.count_max = count_max

    @property
    def count_likely(self) -> int:
        """About how many rows meet the condition, as far as that is known without looking at each."""
        return self.count_max

    def joined(self, other: Plan) -> Plan:
        """Return the plan of this condition and of another one, which looks at the same `values`."""
        raise NotImplementedError

    @abstractmethod
    def rows(self) -> PassingRows:
        """Return the rows that meet the condition."""

    @abstractmethod
    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations`, which are in the window and ascend, meet the condition: shape ``(n,)``."""


class ConstantPlan(Plan):
    """All rows, or none."""

    def __init__(self, window: Window, *, passing: bool) -> None:
        super().__init__(window, window.size if passing else 0)
        self._passing = passing
        self.is_whole: bool = passing

    def rows(self) -> PassingRows:
        """Return all rows, or none."""
        if not self._passing:
            return PassingRows(self.window, np.empty(0, dtype=np.int64))
        return PassingRows(self.window, words=self.window.whole())

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return the same for each of `generations`."""
        return np.full(len(generations), self._passing)


class ListsPlan(Plan):
    """The rows of several lists of generations.

    Parameters
    ----------
    lists
        The lists: int64, ascending, each generation once.
    """

    def __init__(self, window: Window, lists: Sequence[NDArray[np.int64]]) -> None:
        self._lists = [inside for each in lists if len(inside := window.cut(each))]
        super().__init__(window, sum(map(len, self._lists)))

    def rows(self) -> PassingRows:
        """Return the rows that are in at least one of the lists."""
        if self.count_max > self.window.listed_max:
            return PassingRows(self.window, words=marked(self.window, self._lists))
        if not self._lists:
            return PassingRows(self.window, np.empty(0, dtype=np.int64))
        # One list has each of them once, in order.
        found = self._lists[0] if len(self._lists) == 1 else np.unique(np.concatenate(self._lists))
        return PassingRows(self.window, found)

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` are in at least one of the lists."""
        found = np.zeros(len(generations), dtype=bool)
        if not len(generations):
            return found
        # They may lie close together, such as those of some hours.
        asked = Window(int(generations[0]), int(generations[-1]))
        lists = [inside for each in self._lists if len(inside := asked.cut(each))]
        searches = len(lists) * len(generations)
        if searches * _MARKS_PER_SEARCH > sum(map(len, lists)) + asked.size // _BITS_PER_MARK:
            return are_set(marked(asked, lists), generations - asked.begin)
        for each in lists:
            found |= among(each, generations)
        return found


class PresentPlan(ListsPlan):
    """The rows that are in a list of which is known which generations of a window it has.

    Parameters
    ----------
    generations
        The list: int64, ascending.
    present
        Returns which generations of a window are in it, as bits.
    """

    def __init__(
        self, window: Window, generations: NDArray[np.int64], present: Callable[[Window], NDArray[np.uint64]]
    ) -> None:
        super().__init__(window, [generations])
        self._present = present

    def rows(self) -> PassingRows:
        """Return the rows that are in the list."""
        few = self.count_max <= self.window.listed_max
        return super().rows() if few else PassingRows(self.window, words=self._present(self.window))

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` are in the list."""
        if not len(generations):
            return np.zeros(0, dtype=bool)
        asked = Window(int(generations[0]), int(generations[-1]))
        if len(generations) * _MARKS_PER_SEARCH <= asked.size // _BITS_PER_MARK:
            return super().passes(generations)
        return are_set(self._present(asked), generations - asked.begin)


class SoughtPlan(Plan):
    """The rows of a list that takes long to find: it is looked for when it is asked for.

    Parameters
    ----------
    find
        Returns the list: int64, ascending.
    """

    def __init__(self, window: Window, count_max: int, find: Callable[[], NDArray[np.int64]]) -> None:
        super().__init__(window, count_max)
        self._find = find

    @cached_property
    def _found(self) -> ListsPlan:
        return ListsPlan(self.window, [self._find()])

    def rows(self) -> PassingRows:
        """Return the rows that are in the list."""
        return self._found.rows()

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` are in the list."""
        return self._found.passes(generations)


class KeyPlan(Plan):
    """The rows whose value under a key passes a test.

    Parameters
    ----------
    generations
        The rows that have a value of the kind that is tested: int64, ascending, each once.
    test
        Returns which of the values at some places of `generations` pass.
    present
        Returns which generations of a window are among `generations`, as bits; None: that is to be told by these.
    """

    def __init__(
        self,
        window: Window,
        generations: NDArray[np.int64],
        test: Callable[[Places], NDArray[np.bool_]],
        present: Callable[[Window], NDArray[np.uint64]] | None = None,
    ) -> None:
        start, end = window.span_in(generations)
        super().__init__(window, end - start)
        self._inside = generations[start:end]
        self._places = slice(start, end)
        self.is_gapless: bool = start < end and int(self._inside[-1]) - int(self._inside[0]) + 1 == end - start
        """Whether each row from the first to the last one has a value, as is usual: then none has to be looked for."""
        self._test = test
        self._present = present

    def rows(self) -> PassingRows:
        """Return the rows whose values pass."""
        passed = self.tested(self._places)
        if _core.count_bits(passed) <= self.window.listed_max:
            return PassingRows(self.window, self._inside[_core.listed_bits(passed, 0)])
        if self._present is not None and not self.is_gapless and self.count_max > self.window.listed_max:
            return PassingRows(self.window, words=_core.spread_bits(passed, self._present(self.window)))
        words = self.window.blank()
        _core.mark_passed(words, self.window.begin, self._inside, passed)
        return PassingRows(self.window, words=words)

    def tested(self, places: slice) -> NDArray[np.uint64]:
        """Return which of the values at `places` pass, as bits."""
        return packed(self._test(places))

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` have a value that passes."""
        inside = self._inside
        has_value: NDArray[np.bool_] = np.zeros(len(generations), dtype=bool)
        if not len(inside):
            return has_value
        if self._present is not None and not self.is_gapless and len(generations) > self.window.size // _BITS_PER_LOOK:
            ranks = _core.ranks_in(self._present(self.window), self.window.begin, generations)
            has_value = ranks >= 0
            has_value[has_value] = self._test(ranks[has_value] + self._places.start)
            return has_value
        # The place of each value, or that of another one for a row that has none.
        wanted: NDArray[Any] = generations - inside[0] if self.is_gapless else np.searchsorted(inside, generations)
        places = np.clip(wanted, 0, len(inside) - 1)
        has_value = inside[places] == generations
        has_value[has_value] = self._test(places[has_value] + self._places.start)
        return has_value


class ColumnPlan(Plan):
    """The rows whose entry in a column of numbers, which every observation has, passes a test.

    Parameters
    ----------
    columns
        The columns.
    test
        Returns which rows of a chunk pass.
    decides
        Returns whether all of so many rows of a chunk pass (True) or none (False), if that is known without looking at
        each.
    """

    def __init__(
        self,
        window: Window,
        columns: Columns,
        test: Callable[[ColumnChunk, Places], NDArray[np.bool_]],
        decides: Callable[[ColumnChunk, int], bool | None] = lambda chunk, end: None,
    ) -> None:
        self._pieces = list(columns.pieces(window.first, window.last))
        rows = [(end - start, decides(chunk, end)) for _, chunk, start, end in self._pieces]
        super().__init__(window, sum(count for count, decided in rows if decided is not False))
        self.is_whole: bool = sum(count for count, decided in rows if decided) == window.size
        self._columns = columns
        self._test = test
        self._decides = decides

    @property
    def span(self) -> Window:
        """The generations between which all rows that pass lie."""
        pieces = [each for each in self._pieces if self._decides(each[1], each[3]) is not False]
        if not pieces:
            return Window(self.window.first, self.window.first - 1)
        (first, chunk, start, _), (last, other, _, end) = pieces[0], pieces[-1]
        return Window(first + chunk.offset_of(start), last + other.offset_of(end - 1))

    def rows(self) -> PassingRows:
        """Return the rows that pass."""
        listed: list[NDArray[np.int64]] = []
        is_listed = self.count_max <= self.window.listed_max
        words = self.window.blank()
        for base, chunk, start, end in self._pieces:
            decided = self._decides(chunk, end)
            if decided is False:
                continue
            passed = np.ones(end - start, dtype=bool) if decided else self._test(chunk, slice(start, end))
            if is_listed:
                listed.append(base + chunk.offsets_of(start + np.flatnonzero(passed)))
            elif chunk.offsets is None:
                _core.put_bits(words, base + start - self.window.begin, packed(passed), len(passed))
            else:
                _core.mark(words, self.window.begin, base + chunk.offsets_of(start + np.flatnonzero(passed)))
        if is_listed:
            return PassingRows(self.window, np.concatenate([np.empty(0, dtype=np.int64), *listed]))
        return PassingRows(self.window, words=words)

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` pass."""
        found = np.zeros(len(generations), dtype=bool)
        done = 0
        while done < len(generations):
            number = int(generations[done]) >> CHUNK_BITS
            end = done + int(np.searchsorted(generations[done:], (number + 1) << CHUNK_BITS))
            chunk = self._columns.chunks.get(number)
            if chunk is not None:
                rows, is_there = chunk.places_of(generations[done:end] - (number << CHUNK_BITS))
                decided = self._decides(chunk, int(rows[-1]) + 1)
                found[done:end] = self._test(chunk, rows) if decided is None else decided
                if is_there is not None:
                    found[done:end] &= is_there
            done = end
        return found

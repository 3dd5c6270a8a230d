"""Plans: how the conditions of a filter are evaluated on the filter index (docs/decisions/0017)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
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
        The lists: int64, ascending.
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
        return PassingRows(self.window, np.unique(np.concatenate(self._lists)))

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` are in at least one of the lists."""
        searches = len(self._lists) * len(generations)
        if searches * _MARKS_PER_SEARCH > self.count_max + self.window.size // _BITS_PER_MARK:
            return are_set(marked(self.window, self._lists), generations - self.window.begin)
        found = np.zeros(len(generations), dtype=bool)
        for each in self._lists:
            found |= among(each, generations)
        return found


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
    """

    def __init__(
        self, window: Window, generations: NDArray[np.int64], test: Callable[[Places], NDArray[np.bool_]]
    ) -> None:
        start, end = np.searchsorted(generations, [window.first, window.last + 1]).tolist()
        super().__init__(window, end - start)
        self._inside = generations[start:end]
        self._places = slice(start, end)
        self.is_gapless: bool = start < end and int(self._inside[-1]) - int(self._inside[0]) + 1 == end - start
        """Whether each row from the first to the last one has a value, as is usual: then none has to be looked for."""
        self._test = test

    def rows(self) -> PassingRows:
        """Return the rows whose values pass."""
        passed = self.tested(self._places)
        if _core.count_bits(passed) <= self.window.listed_max:
            return PassingRows(self.window, self._inside[_core.listed_bits(passed, 0)])
        words = self.window.blank()
        _core.mark_passed(words, self.window.begin, self._inside, passed)
        return PassingRows(self.window, words=words)

    def tested(self, places: slice) -> NDArray[np.uint64]:
        """Return which of the values at `places` pass, as bits."""
        return packed(self._test(places))

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` have a value that passes."""
        inside = self._inside
        if not len(inside):
            return np.zeros(len(generations), dtype=bool)
        # The place of each value, or that of another one for a row that has none.
        wanted: NDArray[Any] = generations - inside[0] if self.is_gapless else np.searchsorted(inside, generations)
        places = np.clip(wanted, 0, len(inside) - 1)
        has_value: NDArray[np.bool_] = inside[places] == generations
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


class NotPlan(Plan):
    """The rows that do not meet another condition."""

    def __init__(self, part: Plan) -> None:
        super().__init__(part.window, part.window.size)
        self._part = part

    def rows(self) -> PassingRows:
        """Return the rows that the other plan leaves out."""
        return PassingRows(self.window, words=self.window.whole() & ~self._part.rows().words)

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` the other plan leaves out."""
        return ~self._part.passes(generations)


class AndPlan(Plan):
    """The rows that meet all of several conditions: the rarest is looked up, and the others are tested on what is left.

    Parameters
    ----------
    parts
        The conditions; at least one.
    """

    def __init__(self, parts: Sequence[Plan]) -> None:
        # What all rows meet, such as to be alive where nothing has ended, excludes none.
        excluding = _joined(part for part in parts if not part.is_whole)
        self._parts = sorted(excluding or parts[:1], key=lambda part: part.count_max)
        super().__init__(parts[0].window, self._parts[0].count_max)
        self.is_whole: bool = not excluding

    def rows(self) -> PassingRows:
        """Return the rows that meet all conditions."""
        found = self._parts[0].rows().best_form()
        for part in self._parts[1:]:
            if found.is_listed:
                if not len(found):
                    break
                listed = found.generations
                found = PassingRows(self.window, listed[part.passes(listed)])
            else:
                found = _both(found, part.rows()).best_form()
        return found

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` meet all conditions."""
        found = self._parts[0].passes(generations)
        for part in self._parts[1:]:
            left = np.flatnonzero(found)
            if not len(left):
                break
            found[left] = part.passes(generations[left])
        return found


class OrPlan(Plan):
    """The rows that meet at least one of several conditions.

    Parameters
    ----------
    parts
        The conditions; at least one.
    """

    def __init__(self, parts: Sequence[Plan]) -> None:
        super().__init__(parts[0].window, min(parts[0].window.size, sum(part.count_max for part in parts)))
        self._parts = parts

    def rows(self) -> PassingRows:
        """Return the rows that meet at least one condition."""
        lists: list[NDArray[np.int64]] = []
        count = 0
        words: NDArray[np.uint64] | None = None
        # One after the other, so that only one of many sets of bits is in memory.
        for part in self._parts:
            found = part.rows()
            count += len(found) if found.is_listed else self.window.size
            if count <= self.window.listed_max:
                lists.append(found.generations)
                continue
            if words is None:
                words = marked(self.window, lists)
            if found.is_listed:
                _core.mark(words, self.window.begin, found.generations)
            else:
                words |= found.words
        if words is None:
            return PassingRows(self.window, np.unique(np.concatenate(lists)))
        return PassingRows(self.window, words=words)

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` meet at least one condition."""
        found = np.zeros(len(generations), dtype=bool)
        for part in self._parts:
            left = np.flatnonzero(~found)
            if not len(left):
                break
            found[left] = part.passes(generations[left])
        return found


def _joined(parts: Iterable[Plan]) -> list[Plan]:
    """Return the plans, those of the same values joined to one."""
    joined: list[Plan] = []
    places: dict[int, int] = {}
    for part in parts:
        place = len(joined) if part.values is None else places.setdefault(id(part.values), len(joined))
        if place == len(joined):
            joined.append(part)
        else:
            joined[place] = joined[place].joined(part)
    return joined


def _both(found: PassingRows, other: PassingRows) -> PassingRows:
    if other.is_listed:
        listed = other.generations
        return PassingRows(found.window, listed[found.has(listed)])
    return PassingRows(found.window, words=found.words & other.words)

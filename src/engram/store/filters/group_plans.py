"""Plans of groups and negations: how the sets of rows of other plans are joined (docs/decisions/0017)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.store.filters.plans import Plan
from engram.store.filters.rows import PassingRows, marked


class NotPlan(Plan):
    """The rows that do not meet another condition."""

    def __init__(self, part: Plan) -> None:
        super().__init__(part.window, part.window.size)
        self._part = part

    @property
    def count_likely(self) -> int:
        """About how many rows the other plan leaves out."""
        return self.count_max - self._part.count_likely

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
        self._parts = sorted(excluding or parts[:1], key=lambda part: part.count_likely)
        super().__init__(parts[0].window, min(part.count_max for part in self._parts))
        self.is_whole: bool = not excluding

    @property
    def count_likely(self) -> int:
        """About how many rows meet the condition that most rows do not meet."""
        return self._parts[0].count_likely

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

    @property
    def count_likely(self) -> int:
        """About how many rows meet one of the conditions, if few meet two of them."""
        return min(self.count_max, sum(part.count_likely for part in self._parts))

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

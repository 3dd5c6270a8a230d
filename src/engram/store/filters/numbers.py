"""The numbers that generations have under one key of the metadata, compared exactly."""

from __future__ import annotations

import math
import operator as signs
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.store.filters.postings import GrowingArray, Keeps, Postings
from engram.store.filters.rows import packed

Bound = tuple[str, int | float]
"""An operator (``lt``, ``le``, ``gt``, ``ge``), and what numbers are compared with."""

# From here on, a float64 does not hold every whole number.
_EXACT_MAX: Final = 2**53
_BYTE_MIN: Final = -128
_BYTE_MAX: Final = 127


class Numbers:
    """The numbers under one key, in the order of generations. One thread extends it; any reads without locks.

    Attributes
    ----------
    postings
        The generations of each number.
    """

    __slots__ = ("_exact", "_generations", "_values", "postings")

    def __init__(self) -> None:
        self.postings: Postings = Postings()
        self._generations = GrowingArray(np.int64)
        # A byte for each, for as long as all of them are whole and small, as ratings, ages and levels are.
        self._values = GrowingArray(np.int8)
        # The whole numbers that a float64 may not hold, by their places.
        self._exact: dict[int, int] = {}

    def extend(self, generations: Sequence[int], values: Sequence[int | float]) -> None:
        """Append the numbers of later generations, which need not be distinct."""
        found: dict[int | float, list[int]] = {}
        for generation, value in zip(generations, values, strict=True):
            places = found.setdefault(value, [])
            # A list of numbers may have one of them twice.
            if not places or places[-1] != generation:
                places.append(generation)
        for value, places in found.items():
            self.postings.extend(value, places)
        try:
            column = np.array(values, dtype=np.float64)
        except OverflowError:
            column = np.array([_as_float(value) for value in values])
        place = len(self._generations.view)
        for row in np.flatnonzero(np.abs(column) >= _EXACT_MAX).tolist():
            if isinstance(values[row], int):
                self._exact[place + row] = int(values[row])
        if self.are_bytes and not _fit_bytes(column):
            self._values.widen(np.float64)
        self._values.extend(column)
        self._generations.extend(generations)

    def take(self, other: Numbers, after: int, until: int, keeps: Keeps) -> None:
        """Append what `other` has of the generations behind `after`, up to `until`, as far as it stays."""
        places = other._generations.taken(after, until, keeps)
        values = other._values.view[places].tolist()
        if other._exact:
            values = [other._exact.get(place, value) for place, value in zip(places.tolist(), values, strict=True)]
        self.extend(other._generations.view[places].tolist(), values)

    @property
    def generations(self) -> NDArray[np.int64]:
        """The generations that have a number: int64, shape ``(n,)``, ascending, more than once for lists."""
        return self._generations.view

    @property
    def listed(self) -> GrowingArray:
        """The same generations, as they grow."""
        return self._generations

    def values(self, places: NDArray[np.int64] | slice) -> NDArray[np.float64] | NDArray[np.int8]:
        """Return the numbers at `places`: int8 if all numbers are whole and small, else rounded to float64."""
        # Values are appended before generations, so there is one for every generation that a reader saw.
        return self._values.view[places]

    @property
    def are_bytes(self) -> bool:
        """Whether each number is a byte."""
        return bool(self._values.view.dtype == np.int8)

    def fit(self, operator: str, bound: int | float, places: NDArray[np.int64] | slice) -> NDArray[np.bool_]:
        """Return which numbers at `places` are less (``lt``, ``le``) or greater (``gt``, ``ge``) than `bound`."""
        values = self.values(places).astype(np.float64, copy=False)
        # The operators are named as the functions of Python's comparisons are.
        compare: Callable[[Any, Any], Any] = getattr(signs, operator)
        # Rounding keeps the order, so only what is rounded to the same float needs to be compared exactly.
        rounded = _as_float(bound)
        fits: NDArray[np.bool_] = compare(values, rounded)
        if self._needs_care(bound, rounded):
            for row in np.flatnonzero(values == rounded).tolist():
                place = row + (places.start or 0) if isinstance(places, slice) else int(places[row])
                fits[row] = compare(self._exact.get(place, float(values[row])), bound)
        return fits

    def within(self, bounds: Iterable[Bound], places: slice) -> NDArray[np.uint64]:
        """Return which numbers at `places` fit all `bounds`, as `fit` tells for one, as bits."""
        low, high = -math.inf, math.inf
        others: list[Bound] = []
        for operator, bound in bounds:
            rounded = _as_float(bound)
            # Nothing is beyond infinity, so a closed interval could not tell what is less or greater.
            if self._needs_care(bound, rounded) or math.isinf(rounded):
                others.append((operator, bound))
            elif operator in ("gt", "ge"):
                low = max(low, rounded if operator == "ge" else math.nextafter(rounded, math.inf))
            else:
                high = min(high, rounded if operator == "le" else math.nextafter(rounded, -math.inf))
        found = _core.bits_within(self.values(places), low, high)
        for operator, bound in others:
            found &= packed(self.fit(operator, bound, places))
        return found

    def _needs_care(self, bound: int | float, rounded: float) -> bool:
        """Return whether what equals the rounded bound has to be compared with the bound itself."""
        return bound != rounded or (bool(self._exact) and abs(rounded) >= _EXACT_MAX)

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        exact = 150 * len(self._exact)
        return self.postings.nbytes + self._generations.nbytes + self._values.nbytes + exact


def _fit_bytes(column: NDArray[np.float64]) -> bool:
    return bool(np.all((column >= _BYTE_MIN) & (column <= _BYTE_MAX) & (column == np.trunc(column))))


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")

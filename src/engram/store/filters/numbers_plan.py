"""The plans of conditions on the numbers under a key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.store.filters.numbers import Bound, Numbers
from engram.store.filters.plans import KeyPlan, Places, Plan
from engram.store.filters.rows import Window, packed, unpacked

# So many numbers tell well enough which of several conditions is the rarest.
_SAMPLED: Final = 128
_SAMPLES: Final = np.arange(_SAMPLED)
# A float64 holds every whole number up to here.
_WHOLE_MAX: Final = 2**53
# The bits of so many numbers are still in the caches while each row is looked at.
_SPAN_MAX: Final = 1 << 16


class NumbersPlan(KeyPlan):
    """The rows whose number under a key lies within bounds, all of which are compared in one look at the numbers.

    Parameters
    ----------
    numbers
        The numbers of the key.
    bounds
        The bounds; at least one.
    """

    def __init__(self, window: Window, numbers: Numbers, bounds: Sequence[Bound]) -> None:
        super().__init__(window, numbers.generations, self._fit, numbers.listed.bits_within)
        self.values: Numbers = numbers
        self._bounds = bounds

    @cached_property
    def count_likely(self) -> int:
        """About how many numbers lie within the bounds, by a few of them."""
        start, end = self._places.start, self._places.stop
        if end - start <= _SAMPLED:
            return self.count_max
        some = start + _SAMPLES * (end - start) // _SAMPLED
        # There may be some if none of these does.
        fitting = max(1, int(np.count_nonzero(self._fit(some))))
        return int((end - start) * fitting // _SAMPLED)

    def joined(self, other: Plan) -> NumbersPlan:
        """Return the plan of these bounds and of those of another plan of the same numbers."""
        assert isinstance(other, NumbersPlan)  # noqa: S101  (for the type checker: no other plan looks at numbers)
        return NumbersPlan(self.window, self.values, [*self._bounds, *other._bounds])

    def tested(self, places: slice) -> NDArray[np.uint64]:
        """Return which of the numbers at `places` lie within the bounds, as bits."""
        return self.values.within(self._bounds, places)

    def _fit(self, places: Places) -> NDArray[np.bool_]:
        (operator, bound), *others = self._bounds
        found = self.values.fit(operator, bound, places)
        for operator, bound in others:
            found &= self.values.fit(operator, bound, places)
        return found


class WantedNumbers(NamedTuple):
    """Whole numbers that lie close together, as bits.

    Parameters
    ----------
    low
        The least of them.
    bits
        uint32: bit ``i % 32`` of ``bits[i // 32]`` tells whether ``low + i`` is one of them.
    """

    low: float
    bits: NDArray[np.uint32]


def wanted_numbers(values: Sequence[object]) -> WantedNumbers | None:
    """Return numbers as bits; None if one of them is no whole number, or if they lie too far apart."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values) or not numbers or max(map(abs, numbers)) > _WHOLE_MAX - _SPAN_MAX:
        return None
    low, high = min(numbers), max(numbers)
    if high - low >= _SPAN_MAX or any(number != int(number) for number in numbers):
        return None
    flags = np.zeros(int(high - low) + 1, dtype=bool)
    flags[[int(number - low) for number in numbers]] = True
    return WantedNumbers(float(low), packed(flags).view(np.uint32))


class AmongPlan(KeyPlan):
    """The rows whose number under a key is one of several, told by the number of each row.

    Parameters
    ----------
    numbers
        The numbers of the key.
    wanted
        Those that are asked for.
    count_max
        So many rows have one of them at most.
    """

    def __init__(self, window: Window, numbers: Numbers, wanted: WantedNumbers, count_max: int) -> None:
        super().__init__(window, numbers.generations, self._among, numbers.listed.bits_within)
        self.count_max: int = min(self.count_max, count_max)
        self._numbers = numbers
        self._wanted = wanted

    def tested(self, places: Places) -> NDArray[np.uint64]:
        """Return which of the numbers at `places` are among those asked for, as bits."""
        return _core.bits_wanted_of(self._numbers.values(places), *self._wanted)

    def _among(self, places: Places) -> NDArray[np.bool_]:
        return unpacked(self.tested(places), len(self._numbers.values(places)))

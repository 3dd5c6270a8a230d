"""The plan of a condition, or of several, on the numbers under a key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.store.filters.numbers import Bound, Numbers
from engram.store.filters.plans import KeyPlan, Places, Plan
from engram.store.filters.rows import Window

# So many numbers tell well enough which of several conditions is the rarest.
_SAMPLED: Final = 128


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
        some = np.linspace(start, end, _SAMPLED, endpoint=False).astype(np.int64)
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

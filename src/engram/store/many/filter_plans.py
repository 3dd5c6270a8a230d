"""What passes the filters of many cues: each filter is looked up once, however many cues have it."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.model.cue import Cue
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter
from engram.model.filters.filter_like import as_condition, both
from engram.store.filters.metadata_index import MetadataIndex
from engram.store.filters.rows import PassingRows
from engram.store.filters.selection import Unreadable, passing

# What passes a filter may take as many bytes as there are generations, so only so many are kept at the same time.
_KEPT_MAX: Final = 8


class FilterPlan:
    """What passes one filter. One thread at a time may use it.

    Parameters
    ----------
    conditions
        The filter.
    chosen
        The observations that pass; None for all, where they need not be looked up.
    unclear
        The observations that may pass, but for damage of what the filter needs.
    """

    def __init__(self, conditions: Filter | Condition, chosen: PassingRows | None, unclear: list[Unreadable]) -> None:
        self.conditions: Final = conditions
        self.chosen: Final = chosen
        self.unclear: Final = unclear

    @cached_property
    def allowed(self) -> tuple[NDArray[np.uint64] | None, int]:
        """The bitmap of what may be found, and the generation of its first bit; None for all."""
        return (None, 0) if self.chosen is None else self.chosen.bitmap()


class FilterPlans:
    """The plans of the filters of many cues, as of one generation. One thread at a time may use it.

    Parameters
    ----------
    attributes
        The filter index of the space.
    generation
        The generation.
    common
        The filter that every result meets beside that of its cue.
    due_us
        What is due at this time is hidden; 0: nothing is.
    """

    def __init__(self, attributes: MetadataIndex, generation: int, common: Filter | Condition, due_us: int = 0) -> None:
        self._attributes = attributes
        self._hidden = attributes.due(due_us, generation, generation)
        self._generation = generation
        self._common = common
        self._open = FilterPlan(common, None, [])
        # By what they mean, because equal filters are often different objects.
        self._plans: dict[Condition, FilterPlan] = {}
        # The last filter that was asked for, and whether its cue ranks: most often, the next cue has the same.
        self._last: tuple[Filter | Condition, bool, FilterPlan] | None = None

    def of(self, cue: Cue) -> FilterPlan:
        """Return the plan of the filter of a cue, joined with the common one.

        Raises
        ------
        InvalidInput
            With code ``filter_size``, if the two are too large together.
        """
        own, ranks = cue.conditions, cue.ranks
        if self._last is None or self._last[0] is not own or self._last[1] is not ranks:
            self._last = own, ranks, self._found(both(own, self._common), ranks)
        return self._last[2]

    def _found(self, conditions: Filter | Condition, ranks: bool) -> FilterPlan:
        if conditions.is_open and ranks and not len(self._hidden):
            return self._open
        key = as_condition(conditions)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) == _KEPT_MAX:
                del self._plans[next(iter(self._plans))]
            unclear: list[Unreadable] = []
            at = self._generation
            chosen = passing(self._attributes, conditions, 1, at, at, unclear, self._hidden)
            plan = self._plans[key] = FilterPlan(conditions, chosen, unclear)
        return plan

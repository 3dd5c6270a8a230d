"""Selection of the observations that pass a filter at a snapshot: the one entry point of all that filters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.model.filters.filter_like import FilterLike, as_condition
from engram.store.filters.metadata_index import MetadataIndex
from engram.store.filters.planning import Planner, conjuncts
from engram.store.filters.plans import AndPlan
from engram.store.filters.rows import PassingRows, Window, bitmap

__all__ = ["bitmap", "passing", "select"]


def passing(
    attributes: MetadataIndex, filter: FilterLike | None, first: int, last: int, alive_at: int | None = None
) -> PassingRows:
    """Return the observations with generations from `first` to `last` that pass `filter`.

    The rarest condition that all must meet is looked up first, and the others are tested on what is left, so the work
    is bounded by it where there is one (docs/decisions/0017).

    Parameters
    ----------
    attributes
        The filter index.
    filter
        The filter; None lets everything pass.
    first, last
        Generations, both included; `last` is committed.
    alive_at
        Only observations that are alive at this generation; None: all, including those superseded or deleted since.

    Raises
    ------
    InvalidInput
        If `filter` is none.
    CorruptData
        If the filter needs a text or an id that is damaged.
    """
    # Nothing is left before the first chunk of the columns.
    window = Window(max(first, 1, attributes.columns.first_generation), last)
    if not window.size:
        return PassingRows(window, np.empty(0, dtype=np.int64))
    planner = Planner(attributes, window, alive_at)
    parts = [planner.plan(part) for part in conjuncts(as_condition(filter))]
    return AndPlan([*parts, planner.alive()]).rows()


def select(
    attributes: MetadataIndex, filter: FilterLike | None, first: int, last: int, alive_at: int | None = None
) -> NDArray[np.int64]:
    """Return the generations that `passing` returns: int64, shape ``(n,)``, ascending."""
    return passing(attributes, filter, first, last, alive_at).generations

"""Selection of the observations that pass a filter at a snapshot: the one entry point of all that filters."""

from __future__ import annotations

import copy
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.model.filters.conditions import Comparison
from engram.model.filters.filter_like import FilterLike, as_condition
from engram.store.filters.group_plans import AndPlan, NotPlan
from engram.store.filters.metadata_index import MetadataIndex
from engram.store.filters.planning import Planner, conjuncts
from engram.store.filters.plans import ColumnPlan, ListsPlan, Plan
from engram.store.filters.rows import PassingRows, Window, bitmap

__all__ = ["Unreadable", "bitmap", "passing", "select", "which_pass"]

# Observations with fewer generations between them are looked at in one window.
_GAP_MAX: Final = 1024

Unreadable = tuple[int, CorruptData]
"""A generation, and why what a filter needs of it cannot be read."""


def passing(
    attributes: MetadataIndex,
    filter: FilterLike | None,
    first: int,
    last: int,
    alive_at: int | None = None,
    unclear: list[Unreadable] | None = None,
    hidden: NDArray[np.int64] | None = None,
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
    unclear
        Receives, by generation, the observations that may pass, but for damage of what the filter needs. They are not
        returned. None: that is an error.
    hidden
        What does not pass, because it is due: int64, ascending; None: nothing.

    Raises
    ------
    InvalidInput
        If `filter` is none.
    CorruptData
        If a text or an id is damaged that decides whether an observation passes, unless `unclear` receives it.
    """
    # Nothing is left before the first chunk of the columns.
    window = Window(max(first, 1, attributes.columns.first_generation), last)
    window = _narrowed(attributes, filter, window)
    if not window.size:
        return PassingRows(window, np.empty(0, dtype=np.int64))
    plans = _plans(attributes, filter, window, alive_at)
    if hidden is not None and len(hidden):
        plans.append((NotPlan(ListsPlan(window, [hidden])), {}))
    rows = AndPlan([plan for plan, _ in plans]).rows()
    in_question = _in_question(plans)
    if not in_question:
        return rows
    if unclear is None:
        raise copy.copy(in_question[0][1])
    unclear += in_question
    listed = rows.generations
    return PassingRows(window, listed[~np.isin(listed, [generation for generation, _ in in_question])])


def select(
    attributes: MetadataIndex,
    filter: FilterLike | None,
    first: int,
    last: int,
    alive_at: int | None = None,
    unclear: list[Unreadable] | None = None,
    hidden: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Return the generations that `passing` returns: int64, shape ``(n,)``, ascending."""
    return passing(attributes, filter, first, last, alive_at, unclear, hidden).generations


def which_pass(
    attributes: MetadataIndex,
    filter: FilterLike | None,
    generations: NDArray[np.int64],
    unclear: list[Unreadable] | None = None,
) -> NDArray[np.bool_]:
    """Return which of some observations, wherever they are, pass `filter`: bool, shape ``(n,)``.

    What has been erased does not pass.

    Parameters
    ----------
    attributes, filter, unclear
        As for `passing`.
    generations
        The observations: int64, shape ``(n,)``, ascending.

    Raises
    ------
    InvalidInput, CorruptData
        As for `passing`.
    """
    found = np.zeros(len(generations), dtype=bool)
    # Each run of neighbours in a window of its own: what lies between them may be most of the space.
    ends = [*(np.flatnonzero(np.diff(generations) > _GAP_MAX) + 1).tolist(), len(generations)]
    start = 0
    for end in ends:
        run = generations[start:end]
        if len(run):
            window = Window(int(run[0]), int(run[-1]))
            plans = _plans(attributes, filter, window, None)
            found[start:end] = AndPlan([plan for plan, _ in plans]).passes(run)
            in_question = [one for one in _in_question(plans) if one[0] in run]
            if in_question and unclear is None:
                raise copy.copy(in_question[0][1])
            if in_question and unclear is not None:
                unclear += in_question
                found[start:end] &= ~np.isin(run, [generation for generation, _ in in_question])
        start = end
    return found


def _narrowed(attributes: MetadataIndex, filter: FilterLike | None, window: Window) -> Window:
    """Return the generations of the window between which all lie that can pass by their times.

    Most are observed in the order of their times, so that nothing else need be looked at for those of some hours.
    """
    for part in conjuncts(as_condition(filter)):
        if isinstance(part, Comparison) and part.subject.attribute == "observed_at" and window.size:
            plan = Planner(attributes, window, None).plan(part)
            window = plan.span if isinstance(plan, ColumnPlan) else window
    return window


def _plans(
    attributes: MetadataIndex, filter: FilterLike | None, window: Window, alive_at: int | None
) -> list[tuple[Plan, dict[int, CorruptData]]]:
    """Return the plans of all that must be met, each with what of it could not be read so far."""
    planners = [(Planner(attributes, window, alive_at), part) for part in conjuncts(as_condition(filter))]
    plans = [(planner.plan(part), planner.unclear) for planner, part in planners]
    return [*plans, (Planner(attributes, window, alive_at).alive(), {})]


def _in_question(plans: list[tuple[Plan, dict[int, CorruptData]]]) -> list[Unreadable]:
    """Return the observations for which damage decides: none of the plans that could be carried out excludes them."""
    errors = {generation: error for _, unclear in plans for generation, error in unclear.items()}
    left = np.array(sorted(errors), dtype=np.int64)
    for plan, unclear in plans if errors else ():
        passed = plan.passes(left)
        # What was not known may have been seen only now.
        left = left[passed | np.isin(left, list(unclear))]
    return [(generation, errors[generation]) for generation in left.tolist()]

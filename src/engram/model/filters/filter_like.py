"""What is accepted as a filter wherever one is: a `Filter`, a condition, or a dict of either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engram.model.filters.conditions import Condition
from engram.model.filters.fields import Field, Fields
from engram.model.filters.filter import NO_FILTER, Filter
from engram.model.filters.lowering import lowered
from engram.model.filters.objects import condition_of_object
from engram.model.filters.operands import refused
from engram.model.values.scalars import shown

FilterLike = Filter | Condition | Mapping[str, Any]
"""A `Filter`, a `Condition`, or a dict of either, such as ``{"deck": 2}``."""


def as_filter(filter: FilterLike | None) -> Filter | Condition:
    """Return `filter` as a `Filter` or a `Condition`; None lets everything pass.

    Raises
    ------
    InvalidInput
        With code ``invalid_filter``, naming what is wrong and what to write; ``filter_size``, if it is too large;
        ``invalid_cue``, if it has the fields of a `Filter` and one of them is wrong.
    """
    if isinstance(filter, Filter | Condition):
        return filter
    if filter is None:
        return NO_FILTER
    if isinstance(filter, Mapping):
        return condition_of_object(filter) if filter else NO_FILTER
    hint = ""
    if isinstance(filter, str):
        hint = "; parse_filter reads a text"
    elif isinstance(filter, Field | Fields):
        hint = "; compare it, such as F.deck == 2"
    raise refused(
        f'filter is {shown(filter)}; pass a Filter, a condition such as F.deck >= 2, or a dict such as {{"deck": 2}}'
        + hint,
        "filter",
        "a Filter, a condition or a dict",
        type(filter).__name__,
    )


def as_condition(filter: FilterLike | None) -> Condition:
    """Return `filter` as a condition; a `Filter` becomes the group of its parts.

    Raises
    ------
    InvalidInput
        As `as_filter`.
    """
    made = as_filter(filter)
    return made if isinstance(made, Condition) else lowered(made)


def both(one: Filter | Condition, other: Filter | Condition) -> Filter | Condition:
    """Return the filter that lets pass what passes two; one of them as it is, if the other lets everything pass.

    Raises
    ------
    InvalidInput
        With code ``filter_size``, if they are too large together.
    """
    if other.is_open:
        return one
    return other if one.is_open else as_condition(one) & as_condition(other)

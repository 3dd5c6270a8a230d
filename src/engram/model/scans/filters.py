"""The argument `filter` of calls that take one beside a cue."""

from __future__ import annotations

from engram.errors import InvalidInput
from engram.model.cue import NO_FILTER, Filter
from engram.model.values.scalars import shown


def as_filter(filter: object) -> Filter:
    """Return the argument `filter` of a call as a `Filter`; None is one without conditions.

    Raises
    ------
    InvalidInput
        If it is no filter.
    """
    if filter is None:
        return NO_FILTER
    if not isinstance(filter, Filter):
        raise InvalidInput(
            f"filter is {shown(filter)}; pass a Filter, such as Filter(tags={{'urgent'}})",
            code="invalid_cue",
            field="filter",
            limit="a Filter",
            value=type(filter).__name__,
        )
    return filter

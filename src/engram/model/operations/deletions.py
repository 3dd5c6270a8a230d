"""What a deletion by filter must have, for every home and at every server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engram.errors import InvalidInput
from engram.model.filters.filter_like import FilterLike, as_filter
from engram.model.values.ids import as_ids


def check_deleting(filter: FilterLike | None, has_ids: bool) -> None:
    """Check what a deletion by filter is given.

    Raises
    ------
    InvalidInput
        If `filter` is no filter, if it has no conditions, or if there are ids beside it.
    """
    if has_ids:
        raise InvalidInput(
            "a deletion is by ids or by a filter; pass one of them",
            code="invalid_arguments",
            field="filter",
            limit="ids or filter",
            value="both",
        )
    if as_filter(filter).is_open:
        raise InvalidInput(
            "a filter without conditions deletes nothing; clear() deletes everything",
            code="empty_filter",
            field="filter",
            limit="a condition",
            value="none",
        )


def given_to_delete(ids: Iterable[str] | None, filter: FilterLike | None) -> dict[str, Any]:
    """Return the arguments of a `Delete` that is by ids or by a filter, as a caller passes them.

    Raises
    ------
    InvalidInput
        If the ids are none, or neither is given.
    """
    if ids is None and filter is None:
        # As if the list were forgotten, which is the usual reason.
        return {"ids": as_ids(ids)}  # type: ignore[arg-type]
    # Each id once: what only counts would count it in each part.
    named = None if ids is None else list(dict.fromkeys(as_ids(ids)))
    return {"ids": named, "filter": None if filter is None else as_filter(filter)}

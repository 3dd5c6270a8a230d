"""What the meta of documents hold: the fields, their types and their values, as the facets of a space tell them."""

from __future__ import annotations

from typing import Any, Final

from engram.connection import AnySpace
from engram.errors import InvalidInput
from engram.model.filters.conditions import Condition
from engram.model.filters.fields import F
from engram.model.filters.filter_like import both
from engram.model.limits import FILTER_TERMS_MAX, RESULTS_MAX
from engram.model.scans.facets import Facet
from engram.model.scans.options import KEYS
from engram.model.values.scalars import as_whole

_TYPES: Final[dict[type, str]] = {bool: "boolean", int: "int", float: "float"}
_OTHER_TYPE: Final = "keyword"


def value_count(space: AnySpace, key: str, condition: Condition) -> int:
    """Return how many different values there are under a key, of the documents that meet a condition."""
    return _values_of(space, key, condition, 1).distinct


def unique_values(
    space: AnySpace, key: str, condition: Condition, search_term: str | None, start: int, count: int
) -> tuple[list[Any], int]:
    """Return some of the values under a key, and how many there are.

    Parameters
    ----------
    space
        The documents.
    key
        Key of the meta.
    condition
        What the documents meet.
    search_term
        A text that a value has in it, in upper or lower case; None or empty: every value.
    start, count
        Which of the values, in the order of a `Facet`.

    Raises
    ------
    InvalidInput
        If they lie beyond the 10 000 most frequent; if there are more than 10 000 to search in.
    """
    first = as_whole("from_", start, 0, RESULTS_MAX)
    last = first + as_whole("size", count, 0, RESULTS_MAX)
    if not search_term:
        facet = _values_of(space, key, condition, max(last, 1))
        return [each.value for each in facet.values[first:last]], facet.distinct
    most = _values_of(space, key, condition, RESULTS_MAX)
    facet = _whole(most, key, "pass no search term, or filters that fewer documents pass")
    wanted = search_term.lower()
    found = [each.value for each in facet.values if wanted in str(each.value).lower()]
    return found[first:last], len(found)


def least_and_greatest(space: AnySpace, key: str) -> dict[str, Any]:
    """Return the least and the greatest value under a key: of the numbers, and of the texts if there are none."""
    facet = space.facets(key, limit=1)[key]
    return {"min": facet.least, "max": facet.greatest}


def field_types(space: AnySpace, without: str) -> dict[str, dict[str, str]]:
    """Return the type of each key of the meta that has a value: that of its most frequent values.

    Parameters
    ----------
    space
        The documents.
    without
        A key that is not told.
    """
    facet = _whole(space.facets(fields=KEYS, limit=RESULTS_MAX)[KEYS], KEYS, "ask for the values of one key")
    keys = sorted(str(each.value) for each in facet.values if each.value != without)
    types: dict[str, dict[str, str]] = {}
    for start in range(0, len(keys), FILTER_TERMS_MAX):
        # Of two values, at most one is null.
        for key, values in space.facets(keys[start : start + FILTER_TERMS_MAX], limit=2).items():
            known = [each.value for each in values.values if each.value is not None]
            if known or not values.values:
                types[key] = {"type": _TYPES.get(type(known[0]), _OTHER_TYPE) if known else _OTHER_TYPE}
    return types


def _values_of(space: AnySpace, key: str, condition: Condition, limit: int) -> Facet:
    """Return the values under a key; to Haystack, a null is none."""
    return space.facets(key, both(condition, ~F[key].is_null()), limit=limit)[key]


def _whole(facet: Facet, name: str, advice: str) -> Facet:
    """Return `facet` if all of its values are there.

    Raises
    ------
    InvalidInput
        With code ``facet_values``.
    """
    if facet.distinct > len(facet.values):
        raise InvalidInput(
            f"there are {facet.distinct} different values of {name!r}, of which {RESULTS_MAX} can be looked through; "
            f"{advice}",
            code="facet_values",
            field=name,
            limit=RESULTS_MAX,
            value=facet.distinct,
        )
    return facet

"""Facets: the values that observations have, with their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engram.model.cue import Scalar


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value, and how many observations have it.

    Parameters
    ----------
    value
        A text, a number, a truth value, or None for a null.
    count
        Number of observations that have it.
    """

    value: Scalar
    count: int


@dataclass(frozen=True, slots=True)
class Facet:
    """The values that observations have under one key.

    An observation has the one value under the key, or each element of a list under it once. Objects inside have no
    values, but an observation that has one has the key.

    Parameters
    ----------
    values
        The most frequent values, the most frequent first; of equally many, numbers first and then texts, in their
        order.
    count
        Number of observations that have the key.
    distinct
        Number of different values, also of those that are not among `values`. 1 and 1.0 are one value, True is another.
    least, greatest
        The least and the greatest number; where there are no numbers, the first and the last text by its code points;
        None without either.
    """

    values: tuple[FacetValue, ...]
    count: int
    distinct: int
    least: float | str | None
    greatest: float | str | None


class Facets(dict[str, Facet]):
    """The facets of what passes a filter, by key.

    Attributes
    ----------
    count
        Number of observations that pass the filter.
    generation
        Generation as of which all was counted.
    """

    def __init__(self, facets: Mapping[str, Facet] | None = None, count: int = 0, generation: int = 0) -> None:
        super().__init__(facets or {})
        self.count = count
        self.generation = generation

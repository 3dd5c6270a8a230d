"""Facets: the values that observations have, with their numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engram.model.cue import Scalar
from engram.showing import counted, html_table, list_line, one_line

_TITLES: Final = ("key", "observations", "different values", "least", "greatest", "most frequent values")
_VALUES_SHOWN_MAX: Final = 5


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

    def __repr__(self) -> str:
        return one_line(self)


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

    def __repr__(self) -> str:
        return one_line(self)


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

    def __repr__(self) -> str:
        return list_line("Facets", list(self), f"count={self.count}, generation={self.generation}")

    def _repr_html_(self) -> str:
        """Return the facets as a table, which notebooks show: a row for each key."""
        rows = (_cells(key, facet) for key, facet in self.items())
        return html_table(_TITLES, rows, f"{counted(self.count, 'observation')} of generation {self.generation}.")


def _cells(key: str, facet: Facet) -> tuple[str, ...]:
    frequent = ", ".join(f"{_text(each.value)} ({each.count:,})" for each in facet.values[:_VALUES_SHOWN_MAX])
    more = ", ..." if facet.distinct > _VALUES_SHOWN_MAX else ""
    bounds = ("" if bound is None else _text(bound) for bound in (facet.least, facet.greatest))
    return key, f"{facet.count:,}", f"{facet.distinct:,}", *bounds, f"{frequent}{more}"


def _text(value: Scalar) -> str:
    """Return a value as it is written in JSON; a text stands for itself."""
    return value if isinstance(value, str) else json.dumps(value)

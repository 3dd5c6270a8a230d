"""The requests of the operations that go over everything that passes a filter: pages, facets, and clearing.

`engram.model.operations.requests` has the others, and says what holds for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from engram.errors import InvalidInput
from engram.model.ack import Deletion
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import NO_FILTER, Filter
from engram.model.filters.filter_like import FilterLike, as_filter
from engram.model.limits import FILTER_BYTES_MAX, FILTER_TERMS_MAX, RESULTS_MAX
from engram.model.operations.operation import Request
from engram.model.query import as_generation
from engram.model.scans.cursor import CURSOR_CHARACTERS_MAX
from engram.model.scans.facets import Facets
from engram.model.scans.options import (
    FACET_FIELDS,
    FACET_VALUES_DEFAULT,
    ORDERS,
    PAGE_SIZE_DEFAULT,
    ScanOptions,
)
from engram.model.scans.page import ScanPage
from engram.model.values.scalars import as_flag, as_text, as_whole, shown
from engram.model.values.sequences import as_list


@dataclass(frozen=True, slots=True)
class ReadPage(Request[ScanPage]):
    """Read one page of everything that passes a filter, in an order, from one snapshot.

    Parameters
    ----------
    space
        Name of the space.
    filter
        Conditions that every observation meets; everything passes a filter without conditions.
    order
        ``"generation"``, ``"time"`` or ``"id"``.
    reverse
        Whether to go the other way.
    page_size
        Most observations of the page, 1 to 10 000. A page of large observations has fewer.
    max_generation
        Generation of the snapshot; None for the newest, or for that of the cursor.
    cursor
        The cursor of the page before; empty for the first page.
    include_vectors
        Whether the hits have their vectors.
    skip_damaged
        Whether to leave out damaged observations, and mark the page as incomplete.

    Raises
    ------
    InvalidInput
        If an argument has the wrong type or is out of range.
    """

    space: str
    filter: Filter | Condition = NO_FILTER
    order: str = "generation"
    reverse: bool = False
    page_size: int = PAGE_SIZE_DEFAULT
    max_generation: int | None = None
    cursor: str = ""
    include_vectors: bool = False
    skip_damaged: bool = False

    def __post_init__(self) -> None:
        keep = object.__setattr__
        keep(self, "filter", as_filter(self.filter))
        if not isinstance(self.order, str) or self.order not in ORDERS:
            choices = ", ".join(ORDERS)
            raise InvalidInput(
                f"order is {shown(self.order)}; pass one of {choices}",
                code="invalid_scan",
                field="order",
                limit=choices,
                value=shown(self.order),
            )
        keep(self, "page_size", as_whole("page_size", self.page_size, 1, RESULTS_MAX, code="invalid_scan"))
        keep(self, "max_generation", as_generation(self.max_generation))
        for name in ("reverse", "include_vectors", "skip_damaged"):
            keep(self, name, as_flag(name, getattr(self, name)))
        if len(as_text("cursor", self.cursor, code="invalid_cursor")) > CURSOR_CHARACTERS_MAX:
            raise InvalidInput(
                f"a cursor of {len(self.cursor)} characters is none",
                code="invalid_cursor",
                field="cursor",
                limit=CURSOR_CHARACTERS_MAX,
                value=len(self.cursor),
            )


@dataclass(frozen=True, slots=True)
class CountFacets(Request[Facets]):
    """Count the values that observations have, of all that pass a filter.

    Parameters
    ----------
    space
        Name of the space.
    keys
        Keys of the metadata, at their top level; with `fields`, up to 64.
    fields
        Any of ``"tags"``, ``"time_us"``, ``"confidence"``, ``"importance"`` and ``"keys"``: which keys there are.
    filter
        Conditions that every observation meets.
    limit
        Most values of each facet, 1 to 10 000.
    max_generation
        Count what was alive at this generation; None for the newest.

    Raises
    ------
    InvalidInput
        If an argument has the wrong type or is out of range, or a name is asked for twice.
    """

    space: str
    keys: Sequence[str] = ()
    fields: Sequence[str] = ()
    filter: Filter | Condition = NO_FILTER
    limit: int = FACET_VALUES_DEFAULT
    max_generation: int | None = None

    def __post_init__(self) -> None:
        keep = object.__setattr__
        keep(self, "keys", _names("keys", self.keys))
        keep(self, "fields", _names("fields", self.fields))
        for name in self.fields:
            if name not in FACET_FIELDS:
                choices = ", ".join(FACET_FIELDS)
                raise _no_facet(f"there is no field {shown(name)}; there are {choices}", "fields", choices, shown(name))
        both = [*self.keys, *self.fields]
        if len(both) > FILTER_TERMS_MAX:
            raise _no_facet(f"{len(both)} facets at once are too many", "keys", FILTER_TERMS_MAX, len(both))
        if len(set(both)) < len(both):
            twice = next(name for name in both if both.count(name) > 1)
            raise _no_facet(f"{shown(twice)} is asked for twice; ask once, or in two calls", "keys", "once", twice)
        keep(self, "filter", as_filter(self.filter))
        keep(self, "limit", as_whole("limit", self.limit, 1, RESULTS_MAX, code="invalid_facets"))
        keep(self, "max_generation", as_generation(self.max_generation))


@dataclass(frozen=True, slots=True)
class Clear(Request[Deletion]):
    """Delete all observations of a space. What is written meanwhile stays.

    Parameters
    ----------
    space
        Name of the space.
    max_generation
        Delete what was alive at this generation and still is; None for the newest.
    idempotency_key
        A text of the caller's choice for this write; the same write with the same key gets the first answer again.
        Empty for none.
    """

    space: str
    max_generation: int | None = None
    idempotency_key: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_generation", as_generation(self.max_generation))


def page_request(space: str, filter: FilterLike | None, options: ScanOptions) -> ReadPage:
    """Return the request for the first page of ``scan(filter, **options)``.

    Raises
    ------
    InvalidInput
        If an argument has the wrong type or is out of range.
    """
    # None stands for what is not given, as where the signature shows it.
    given: dict[str, Any] = {
        name: value
        for name, value in options.items()
        if value is not None or name in ("reverse", "include_vectors", "skip_damaged")
    }
    return ReadPage(space, as_filter(filter), **given)


def _names(field: str, names: Iterable[str]) -> tuple[str, ...]:
    # One name alone is what most callers want.
    listed = [names] if isinstance(names, str) else as_list(field, names, '["room"]')
    for row, name in enumerate(listed):
        size = len(as_text(f"{field}[{row}]", name, code="invalid_facets").encode())
        if size > FILTER_BYTES_MAX:
            raise _no_facet(f"a name of {size} bytes has no facet", field, FILTER_BYTES_MAX, size)
    return tuple(listed)


def _no_facet(message: str, field: str, limit: object, value: object) -> InvalidInput:
    return InvalidInput(message, code="invalid_facets", field=field, limit=limit, value=value)

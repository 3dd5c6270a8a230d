"""The counting of facets, from the rows of the log."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.log.log import Log
from engram.model.cue import Scalar
from engram.model.operations.scans import CountFacets
from engram.model.scans.facets import Facet, Facets, FacetValue
from engram.model.scans.options import KEYS
from engram.model.values.metadata import read_metadata_column
from engram.store.scans.runs import runs_of

DISTINCT_MAX: Final = 1_000_000
"""Different values that are counted for all facets of one call together."""

_ROWS_PER_TURN: Final = 4096
_COLUMN_OF: Final = {"time_us": "times_us", "confidence": "confidences", "importance": "importances"}


def counted_facets(
    log: Log, request: CountFacets, rows: NDArray[np.int64], generation: int
) -> Generator[None, None, Facets]:
    """Count what `request` asks for of `rows`, which are alive at `generation`; yield where others may have their turn.

    Raises
    ------
    InvalidInput
        With code ``facet_values``, if there are too many different values.
    CorruptData
        If what is counted cannot be read.
    """
    counts = FacetCounts(request)
    yield from counts.count(log, rows)
    return counts.facets(len(rows), generation)


class FacetCounts:
    """Counts the values of what passes a filter.

    Parameters
    ----------
    request
        What is counted.
    """

    def __init__(self, request: CountFacets) -> None:
        self._request = request
        distinct = _Distinct()
        self._by_key = {key: _Values(key, distinct) for key in request.keys}
        self._by_field = {field: _Values(field, distinct) for field in request.fields}
        self._of_keys = self._by_field.get(KEYS)

    def count(self, log: Log, generations: NDArray[np.int64]) -> Iterator[None]:
        """Count all of `generations`; yield where others may have their turn.

        Raises
        ------
        InvalidInput
            With code ``facet_values``, if there are too many different values.
        CorruptData
            If what is counted cannot be read.
        """
        if not self._by_key and not self._by_field:
            return
        done = 0
        for rows in runs_of(log, generations):
            if self._by_key or self._of_keys is not None:
                for metadata in read_metadata_column(rows.texts("metadata")):
                    if metadata:
                        self._add_metadata(metadata)
            for field, values in self._by_field.items():
                if field == "tags":
                    for text in rows.texts("tags"):
                        values.add_row(json.loads(text) if text else ())
                elif field != KEYS:
                    values.add_rows(rows.numbers(_COLUMN_OF[field]).tolist())
            done += rows.count
            if done >= _ROWS_PER_TURN:
                done = 0
                yield

    def facets(self, count: int, generation: int) -> Facets:
        """Return what was counted of `count` observations at `generation`."""
        both = {**self._by_key, **self._by_field}
        return Facets({name: values.facet(self._request.limit) for name, values in both.items()}, count, generation)

    def _add_metadata(self, metadata: dict[str, Any]) -> None:
        for key, values in self._by_key.items():
            if key in metadata:
                value = metadata[key]
                values.add_row(value if isinstance(value, list) else (value,), has_key=True)
        if self._of_keys is not None:
            self._of_keys.add_row(metadata)


class _Distinct:
    """How many different values there are in all facets of a call, which is what their memory goes by."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, count: int, name: str) -> None:
        """Add the values that are new to the facet `name`.

        Raises
        ------
        InvalidInput
            With code ``facet_values``, if there are too many.
        """
        self._count += count
        if self._count > DISTINCT_MAX:
            raise InvalidInput(
                f"there are more than {DISTINCT_MAX} different values, the last of {name!r}; "
                "pass a filter that fewer pass, or fewer facets",
                code="facet_values",
                field=name,
                limit=DISTINCT_MAX,
                value=self._count,
            )


class _Values:
    """The values of one facet."""

    def __init__(self, name: str, distinct: _Distinct) -> None:
        self._name = name
        self._distinct = distinct
        self._count = 0
        # JSON distinguishes true from 1; Python's dictionaries do not.
        self._counts: Counter[tuple[bool, Scalar]] = Counter()

    def add_row(self, values: Iterable[Any], *, has_key: bool = False) -> None:
        """Count the values of one observation, each once."""
        distinct = {(isinstance(value, bool), value) for value in values if _is_scalar(value)}
        self._update(distinct)
        self._count += has_key or bool(distinct)

    def add_rows(self, values: list[Any]) -> None:
        """Count one number of each observation."""
        self._update([(False, value) for value in values])
        self._count += len(values)

    def facet(self, limit: int) -> Facet:
        """Return the facet with its `limit` most frequent values."""
        ranked = heapq.nsmallest(limit, self._counts.items(), key=lambda item: (-item[1], *_rank(item[0])))
        numbers = [value for is_flag, value in self._counts if not is_flag and isinstance(value, int | float)]
        texts = [value for _, value in self._counts if isinstance(value, str)]
        ends: list[Any] = numbers or texts
        return Facet(
            tuple(FacetValue(value, count) for (_, value), count in ranked),
            self._count,
            len(self._counts),
            min(ends, default=None),
            max(ends, default=None),
        )

    def _update(self, values: Iterable[tuple[bool, Scalar]]) -> None:
        before = len(self._counts)
        self._counts.update(values)
        self._distinct.add(len(self._counts) - before, self._name)


def _rank(item: tuple[bool, Scalar]) -> tuple[int, float, str]:
    """Return what orders values of all kinds: numbers, texts, truth values, null."""
    is_flag, value = item
    if value is None:
        return 3, 0, ""
    if isinstance(value, str):
        return 1, 0, value
    return (2 if is_flag else 0), value, ""


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)

"""What an update changes: the ids, and the columns that get other values. What is not named stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.arguments import ManyObservations, OneObservation, take_existing
from engram.model.batches.parts import Parts
from engram.model.columns import COLUMNS, EMBED, IDS, MANY_KEYWORDS, ColumnSpec, ExpirySpec, MetadataSpec, TagsSpec
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.values.expiry import changed_expiries, check_one_expiry
from engram.model.values.ids import check_distinct_ids
from engram.model.values.metadata import check_metadata_column
from engram.model.values.scalars import as_text
from engram.model.values.sequences import as_list, as_whole_list, check_array, check_list, wrong_length
from engram.model.values.vectors import as_matrix, as_query

_CHANGEABLE: Final = ", ".join(MANY_KEYWORDS[1:-1])


@dataclass(frozen=True, slots=True, eq=False)
class ObservationChanges:
    """What an update changes of some observations, as columns; row i of each column belongs to id i.

    Parameters
    ----------
    ids
        The ids, each once.
    vectors
        float32, shape ``(n, dim)``, C-contiguous; None if the vectors stay, or follow from new texts.
    columns
        The columns that change, by their names in `engram.model.observations.ObservationBatch`, as they are there. Of
        metadata, a row may name some keys only.
    """

    ids: Sequence[str]
    vectors: NDArray[np.float32] | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, rows: slice) -> ObservationChanges:
        """Return what changes of some of the observations; the same object, if these are all."""
        if rows.start == 0 and rows.stop >= len(self):
            return self
        columns = {name: column[rows] for name, column in self.columns.items()}
        vectors = None if self.vectors is None else self.vectors[rows]
        return ObservationChanges(self.ids[rows], vectors, columns)


def take_changes(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> ObservationChanges:
    """Return what the arguments of ``update`` name; they are those of ``observe``, and None is what is not named.

    What is returned shares no memory with the arguments. `check_changes` makes all checks that are not needed for that.

    Raises
    ------
    InvalidInput
        If there is no id, a keyword is not known or given twice, or a value cannot be converted.
    """
    given = take_existing(arguments, keywords)
    if keywords.get(EMBED) is not None:
        raise InvalidInput(
            "an update embeds new texts, and leaves all others as they are; embed is an argument of observe",
            code="invalid_arguments",
            field=EMBED,
            limit=_CHANGEABLE,
            value=keywords[EMBED],
        )
    return _of_one(given) if isinstance(given, OneObservation) else _of_many(given)


def check_all_changes(changes: ObservationChanges) -> None:
    """Check changes that are made in several parts, before the first is made; `check_changes` checks one part.

    Raises
    ------
    InvalidInput
        As `check_changes`, also if an id occurs in two parts.
    """
    if len(changes) <= BATCH_COUNT_MAX:
        return
    # The parts of a column that is too long would be as long as they are meant to be.
    _check_lengths(changes)
    parts = Parts(len(changes))
    for rows in parts:
        with parts.halving(rows):
            check_changes(changes.part(rows))
    check_distinct_ids(changes.ids)


def check_changes(changes: ObservationChanges) -> None:
    """Check what can be checked without the observations that are changed.

    Raises
    ------
    InvalidInput
        Naming the field, the row, the limit and the value.
    """
    ids, vectors, columns = changes.ids, changes.vectors, changes.columns
    check_list(IDS.name, ids)
    count = len(ids)
    if not 1 <= count <= BATCH_COUNT_MAX:
        raise InvalidInput(
            f"an update of {count} observations is refused",
            code="batch_count",
            field="ids",
            limit=f"1..{BATCH_COUNT_MAX}",
            value=count,
        )
    IDS.check_values(ids)
    check_distinct_ids(ids)
    if vectors is None and not columns:
        raise InvalidInput(
            f"there is nothing to change; name at least one of {_CHANGEABLE}",
            code="missing_field",
            field="changes",
            limit=_CHANGEABLE,
        )
    if vectors is not None:
        check_array("vectors", vectors, np.float32, 2)
        if len(vectors) != count:
            raise wrong_length("vectors", len(vectors), count)
        if not vectors.shape[1]:
            # Otherwise they would pass for none, which an embedder makes.
            raise InvalidInput(
                "the new vectors have no numbers; leave them out to keep those that are there",
                code="dimension_mismatch",
                field="vectors",
                limit="(n, dim)",
                value=vectors.shape,
            )
    for spec in COLUMNS:
        if spec.name in columns:
            _check_column(spec, columns[spec.name], count)


def check_tag_rows(rows: Sequence[object]) -> None:
    """Check that each row of new tags is there: None might mean that the tags stay, and might mean that there are none.

    Raises
    ------
    InvalidInput
        With code ``not_a_list``, naming the row.
    """
    for row, tags in enumerate(rows):
        if tags is None:
            raise InvalidInput(
                f"tags[{row}] is None; pass [] for no tags, and change rows whose tags stay in a call without tags",
                code="not_a_list",
                field=f"tags[{row}]",
                limit="a list",
                value="None",
            )


def _check_lengths(changes: ObservationChanges) -> None:
    for spec in COLUMNS:
        if spec.name in changes.columns:
            spec.check_shape(changes.columns[spec.name], len(changes))
    if changes.vectors is not None and len(changes.vectors) != len(changes):
        raise wrong_length("vectors", len(changes.vectors), len(changes))


def _check_column(spec: ColumnSpec, column: Any, count: int) -> None:
    spec.check_shape(column, count)
    spec.check_values(column)
    if isinstance(spec, MetadataSpec):
        check_metadata_column(column)


def _of_one(given: OneObservation) -> ObservationChanges:
    values: Mapping[str, Any] = {"content": given.content, **given.fields}
    columns: dict[str, Any] = {}
    for spec in COLUMNS:
        value = values.get(spec.singular)
        if value is not None and not isinstance(spec, ExpirySpec):
            element = spec.converter()(value)
            # Of texts and lists, an empty one is a change like any other.
            columns[spec.name] = [element] if spec.dtype is None else spec.gather([element])
    columns |= _expiry(given.fields, 1)
    # A copy, which the caller cannot change.
    vectors = None if given.vector is None else as_query(given.vector).copy()[None, :]
    return ObservationChanges([as_text("id", given.id)], vectors, columns)


def _of_many(given: ManyObservations) -> ObservationChanges:
    ids = as_whole_list(IDS.plural, given.ids, '["note-1"]')
    values: Mapping[str, Any] = {"contents": given.contents, **given.columns}
    columns: dict[str, Any] = {}
    for spec in COLUMNS:
        value = values.get(spec.plural)
        if value is not None and not isinstance(spec, ExpirySpec):
            if isinstance(spec, TagsSpec):
                value = as_list(spec.plural, value, '[["urgent"]]', count_max=len(ids))
                check_tag_rows(value)
            columns[spec.name] = spec.column(value, len(ids))
    columns |= _expiry(given.columns, len(ids))
    # A row of None might mean that the vector stays, and might mean that there is none; it is refused.
    vectors = None if given.vectors is None else as_matrix(cast("ArrayLike", given.vectors), owned=True)
    return ObservationChanges(ids, vectors, columns)


def _expiry(given: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the new column of when observations expire, if there is one: here, None removes what is there."""
    ttl = given.get("ttl")
    if ttl is None and "expires_at" not in given:
        return {}
    check_one_expiry(given.get("expires_at"), ttl)
    return {"expires_us": changed_expiries(given.get("expires_at"), ttl, count)}

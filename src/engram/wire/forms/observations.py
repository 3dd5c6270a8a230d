"""Observations in JSON, one by one and as columns, and what they become: an `ObservationBatch`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import UNSET, Raw, Struct
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.arguments import nothing_to_observe
from engram.model.columns import (
    COLUMNS,
    EMBED,
    ONE_KEYWORDS,
    ColumnSpec,
    ExpirySpec,
    MetadataSpec,
    ShareSpec,
    TagsSpec,
    TextSpec,
    TimeSpec,
)
from engram.model.observations import ObservationBatch, fill_batch
from engram.model.operations.changes import ObservationChanges, check_tag_rows
from engram.model.operations.conditions import expected_of
from engram.model.priority import Priority, priority_named
from engram.model.times import as_time_us
from engram.model.values.expiry import NOT_SAID_US, as_ttl_us, check_one_expiry, never_if_not_said, ttl_column
from engram.model.values.presence import given_rows
from engram.model.values.sequences import as_list, wrong_length
from engram.wire.forms.reader import FormReader, check_known
from engram.wire.forms.vectors import PRESENCE, checked_array, given_vectors, read_rows, with_numbers

_NO_METADATA: Final = Raw()
_NULL: Final = b"null"
_MISSING: Final = (None, UNSET)
# What JSON has for one value of each kind of column. Metadata stay as they are: the batch keeps them as a text.
_TYPES: Final[dict[type[ColumnSpec], Any]] = {
    TextSpec: str,
    TimeSpec: float | int | str,
    ShareSpec: float,
    MetadataSpec: Raw,
    TagsSpec: list[str],
    ExpirySpec: float | int | str,
}
# The columns of which a row may be null where there are many: it has no tags, no text, or nothing is said.
_NULLABLE: Final = (TagsSpec, TextSpec, ExpirySpec)
# The columns that may come as arrays of a frame, with their types there.
_ARRAY_DTYPES: Final[dict[type[ColumnSpec], str]] = {TimeSpec: "i8", ShareSpec: "f4", ExpirySpec: "i8"}
_ARRAYS: Final = {spec.plural: spec for spec in COLUMNS if type(spec) in _ARRAY_DTYPES}


def _one_field(spec: ColumnSpec) -> tuple[str, Any, Any]:
    kind = _TYPES[type(spec)]
    if kind is Raw:
        # msgspec has no union of Raw and another type, so null is told from an object by its bytes.
        return spec.singular, Raw, _NO_METADATA
    return spec.singular, kind | None | msgspec.UnsetType, UNSET


def _many_field(spec: ColumnSpec) -> tuple[str, Any, Any]:
    kind = _TYPES[type(spec)]
    element: Any = list[kind | None] if isinstance(spec, _NULLABLE) else list[kind]  # type: ignore[valid-type]
    if isinstance(spec, ExpirySpec):
        # One time counts for all, as one time to live does.
        element |= kind
    return spec.plural, element | None | msgspec.UnsetType, UNSET


ONE_FIELDS: Final[list[Any]] = [
    ("id", str),
    ("vector", list[float] | str | None | msgspec.UnsetType, UNSET),
    *map(_one_field, COLUMNS),
    ("ttl", float | str | None | msgspec.UnsetType, UNSET),
    (EMBED, bool | None | msgspec.UnsetType, UNSET),
    ("priority", str | None | msgspec.UnsetType, UNSET),
]
"""The fields of one observation, as `msgspec.defstruct` takes them."""

MANY_FIELDS: Final[list[Any]] = [
    ("ids", list[str]),
    ("vectors", list[list[float] | None] | str | None | msgspec.UnsetType, UNSET),
    *map(_many_field, COLUMNS),
    ("ttl", float | str | list[float | str | None] | None | msgspec.UnsetType, UNSET),
    (EMBED, bool | None | msgspec.UnsetType, UNSET),
    ("priority", str | None | msgspec.UnsetType, UNSET),
]
"""The fields of many observations, as `msgspec.defstruct` takes them."""

OBSERVED_TEXTS: Final[dict[str, str]] = {
    "vector": "Numbers, or their float32 values in base64. Without one, the embedder makes it, or there is none.",
    "expires_at": "When it expires: ISO 8601 or seconds since 1970 UTC, each or all alike. null in an update: never.",
    "ttl": "In place of expires_at: seconds after the arrival, each or all alike; the text never: it does not expire.",
    "embed": "Whether the embedder of the space makes the vectors that are missing; true if left out.",
}
"""What is said about fields of observations that are other ones in Python, or look different."""

CONDITION_FIELDS: Final[list[Any]] = [
    ("if_absent", bool | None | msgspec.UnsetType, UNSET),
    ("expected_generations", int | list[int] | None | msgspec.UnsetType, UNSET),
]
"""The fields of the conditions on which observations are stored, as `msgspec.defstruct` takes them."""

_BESIDE: Final[list[Any]] = [("idempotency_key", str | None | msgspec.UnsetType, UNSET), *CONDITION_FIELDS]
_ONE: Final = FormReader(
    msgspec.defstruct("_One", [*ONE_FIELDS, *_BESIDE], forbid_unknown_fields=True, kw_only=True, gc=False),
    "the observation",
)
_MANY: Final = FormReader(
    msgspec.defstruct("_Many", [*MANY_FIELDS, *_BESIDE], forbid_unknown_fields=True, kw_only=True), "the observations"
)


Written = tuple[ObservationBatch, Priority, str, tuple[int, ...] | None]
"""Observations, their priority, the idempotency key of the write, and the generations that are expected."""


def read_observations(text: bytes, vector: NDArray[np.float32] | None = None) -> Written:
    """Return what a JSON object holds: one observation, or many as columns, and what is said beside them.

    Parameters
    ----------
    text
        The object.
    vector
        The vector of the one observation, float32, shape ``(1, dim)``, if it has been read already, and `text` has null
        in its place.

    Raises
    ------
    InvalidInput
        If it is neither; the error names the field.
    """
    if has_field(text, "ids"):
        form: Any = _MANY.read(text)
        return batch_of_columns(form, {}), priority_of(form), _key_of(form), conditions_of(form, form.ids)
    form = _ONE.read(text)
    return batch_of_ones([form], vector), priority_of(form), _key_of(form), conditions_of(form, [form.id])


def has_field(text: bytes, name: str) -> bool:
    """Return whether a JSON object has a field, as far as it is JSON at all."""
    if f'"{name}"'.encode() not in text:
        return False
    try:
        return name in msgspec.json.decode(text, type=dict[str, Raw])
    except (ValueError, RecursionError):
        return False


def check_says_something(text: bytes) -> None:
    """Check that the JSON object of an observation without an id has something that an observation has.

    It is one that a `FormReader` has found to lack nothing but its id.

    Raises
    ------
    InvalidInput
        With code ``invalid_arguments``, if all of it is null or left out.
    """
    given = msgspec.json.decode(text, type=dict[str, Raw])
    if all(bytes(given.get(name, _NULL)) == _NULL for name in ONE_KEYWORDS if name != EMBED):
        raise nothing_to_observe()


def batch_of_ones(forms: Sequence[Struct], vectors: NDArray[np.float32] | None = None) -> ObservationBatch:
    """Return observations that came one by one as a batch.

    Parameters
    ----------
    forms
        Objects with the fields `ONE_FIELDS`, whose vectors are alike: see `vector_kind`.
    vectors
        Their vectors, float32, shape ``(n, dim)``, if they have been read already.

    Raises
    ------
    InvalidInput
        If a vector or a time cannot be read.
    """
    columns: dict[str, Any] = {}
    for spec in COLUMNS:
        values = [getattr(form, spec.singular) for form in forms]
        if isinstance(spec, TextSpec) and None in values:
            columns["text_presence"] = given_rows(values)
        if isinstance(spec, MetadataSpec):
            values = [_metadata_text(value) for value in values]
        elif isinstance(spec, ExpirySpec):
            values = [_expiry_of(value, form) for value, form in zip(values, forms, strict=True)]
        elif all(value is UNSET or value is None for value in values):
            continue
        else:
            convert = spec.converter() if isinstance(spec, TimeSpec) else lambda value: value
            values = [spec.blank() if value in _MISSING else convert(value) for value in values]
        columns[spec.name] = spec.gather(values)
    given = [form.vector for form in forms]  # type: ignore[attr-defined]
    if vectors is None and given[0] in _MISSING:
        vectors = np.empty((len(forms), 0), np.float32)
    else:
        vectors = with_numbers(read_rows(given) if vectors is None else vectors, "vector")
    ids, embeds = [form.id for form in forms], forms[0].embed is not False  # type: ignore[attr-defined]
    return fill_batch(ids, vectors, columns, embeds=embeds)


def vector_kind(form: Any) -> tuple[type, int]:
    """Return what observations must have in common to become one batch: the form and the length of their vectors.

    Of those without, it tells those that are to be embedded from the others.
    """
    vector = form.vector
    return (type(None), -int(form.embed is False)) if vector in _MISSING else (type(vector), len(vector))


def given_columns(form: Any, arrays: Mapping[str, NDArray[Any]]) -> tuple[dict[str, Any], NDArray[np.float32] | None]:
    """Return the columns that are there, by their names in a batch, and the vectors; None if there are none.

    Where some rows have no vector, or no text, the columns say so by ``vector_presence`` and ``text_presence``.

    Parameters
    ----------
    form
        An object with the fields `MANY_FIELDS`.
    arrays
        The columns that came as arrays of a frame.

    Raises
    ------
    InvalidInput
        If a column cannot be read, or an array is none of a column or of another type than that of the column.
    """
    check_known(arrays, ("vectors", PRESENCE, *_ARRAYS), "arrays.")
    count = len(form.ids)
    columns: dict[str, Any] = {}
    for spec in COLUMNS:
        values = getattr(form, spec.plural)
        if isinstance(spec, ExpirySpec) and (ttl := _ttl_of(form)) is not None:
            check_one_expiry(arrays.get(spec.plural, _given(values)), ttl)
            columns[spec.name] = ttl_column(ttl, count)
        elif spec.plural in arrays:
            columns[spec.name] = checked_array(arrays[spec.plural], spec.plural, _ARRAY_DTYPES[type(spec)], 1)
        elif values is UNSET or values is None:
            continue
        elif isinstance(spec, MetadataSpec):
            columns[spec.name] = [_metadata_text(value) for value in values]
        else:
            # NumPy would make texts of all, and a number of seconds is none.
            mixed = isinstance(spec, TimeSpec) and str in set(map(type, values))
            columns[spec.name] = spec.column(np.array(values, object) if mixed else values, count)
            if isinstance(spec, TextSpec) and None in values:
                columns["text_presence"] = given_rows(values)
                columns[spec.name] = ["" if value is None else value for value in values]
        if len(columns[spec.name]) != count:
            raise wrong_length(spec.plural, len(columns[spec.name]), count)
    vectors, presence = given_vectors(_given(form.vectors), arrays, count)
    if presence is not None:
        columns[PRESENCE] = presence
    return columns, vectors


def batch_of_columns(form: Any, arrays: Mapping[str, NDArray[Any]]) -> ObservationBatch:
    """Return the observations in columns as a batch. Arguments and errors are those of `given_columns`."""
    columns, vectors = given_columns(form, arrays)
    if vectors is None:
        vectors = np.empty((len(form.ids), 0), np.float32)
    ids, embeds = as_list("ids", form.ids, '["note-1"]'), form.embed is not False
    return fill_batch(ids, vectors, columns, embeds=embeds)


def changes_of_columns(form: Any, arrays: Mapping[str, NDArray[Any]]) -> ObservationChanges:
    """Return what an update changes. Arguments and errors are those of `given_columns`.

    A row without a vector or a text might mean that it stays, and might mean that there is none, and is refused.
    """
    if form.tags is not UNSET:
        check_tag_rows(form.tags or ())
    columns, vectors = given_columns(form, arrays)
    for name in (PRESENCE, "text_presence"):
        if name in columns:
            raise InvalidInput(
                "each row of an update has a new vector, or a new text, or the column is left out",
                code="invalid_column",
                field="vectors" if name == PRESENCE else "contents",
                limit="a value in each row",
                value="null",
            )
    if "expires_us" in columns or form.expires_at is None:
        # Here, null removes what is there.
        columns["expires_us"] = never_if_not_said(columns.get("expires_us"), len(form.ids))
    return ObservationChanges(as_list("ids", form.ids, '["note-1"]'), vectors, columns)


def conditions_of(form: Any, ids: Sequence[str]) -> tuple[int, ...] | None:
    """Return the generations that an object with the fields `CONDITION_FIELDS` expects; None if it has no conditions.

    Raises
    ------
    InvalidInput
        As `expected_of`.
    """
    if form.if_absent in _MISSING and form.expected_generations in _MISSING:
        return None
    expected = None if form.expected_generations is UNSET else form.expected_generations
    return expected_of(ids, form.if_absent is True, expected)


def priority_of(form: Any) -> Priority:
    """Return the priority that an object with the fields `ONE_FIELDS` or `MANY_FIELDS` names; default NORMAL."""
    name = form.priority
    return Priority.NORMAL if name is UNSET or name is None else priority_named(name)


def _key_of(form: Any) -> str:
    return form.idempotency_key or ""


def _given(value: Any) -> Any:
    return None if value is UNSET else value


def _expiry_of(value: Any, form: Any) -> int:
    """Return the number of a column that says when one observation expires."""
    moment, ttl = _given(value), _ttl_of(form)
    if ttl is not None:
        check_one_expiry(moment, ttl)
        return as_ttl_us(ttl)
    return NOT_SAID_US if moment is None else as_time_us(moment, "expires_at")


def _ttl_of(form: Any) -> Any:
    """Return the times to live that a form has; "never" stands for infinity, which JSON does not have."""
    ttl = _given(form.ttl)
    if isinstance(ttl, list):
        return [math.inf if each == "never" else each for each in ttl]
    return math.inf if ttl == "never" else ttl


def _metadata_text(value: Raw) -> str:
    text = str(value, "utf-8")
    return "" if text == "null" else text

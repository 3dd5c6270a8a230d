"""Recalls in JSON: the arguments, flat beside each other, and the `RecallQuery` that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.cue import NO_FILTER, Cue, Filter
from engram.model.filters.conditions import Condition
from engram.model.filters.filter_like import as_filter
from engram.model.filters.objects import FILTER_FIELDS
from engram.model.query import RecallQuery
from engram.model.strength import Strength
from engram.model.times import as_time_us
from engram.wire.forms.reader import FormReader, check_known
from engram.wire.forms.vectors import read_vector

_Moment = float | int | str


class BetweenForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """A condition on a number of the metadata: within both bounds, where null is no bound."""

    between: tuple[float | int | None, float | int | None]


class FilterForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """The conditions of a recall; the fields are those of `Filter`."""

    since: _Moment | UnsetType | None = UNSET
    until: _Moment | UnsetType | None = UNSET
    tags: list[str] | UnsetType | None = UNSET
    without_tags: list[str] | UnsetType | None = UNSET
    metadata: dict[str, str | int | float | bool | BetweenForm | None] | UnsetType | None = UNSET
    confidence_min: float | UnsetType | None = UNSET


FilterObject = Annotated[
    dict[str, Any],
    Meta(
        description="The fields of a Filter; or a tree of and, or, not and op; or keys of the metadata and their "
        'values, such as {"deck": 2}.',
        examples=[{"deck": 2}, {"and": [{"deck": {"ge": 2}}, {"not": {"room": {"in": ["mess"]}}}]}],
    ),
]
"""A filter of any form."""

_FILTER_READER: Final = FormReader(FilterForm, "filter")


class StrengthForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """The ranking by memory strength; the fields are those of `Strength`."""

    half_life_s: float | UnsetType | None = UNSET
    forgetting: str | UnsetType | None = UNSET
    reinforce: bool | UnsetType | None = UNSET


CUE_FIELDS: Final[list[Any]] = [
    ("vector", list[float] | str | None | UnsetType, UNSET),
    ("text", str | None | UnsetType, UNSET),
    ("by", str | None | UnsetType, UNSET),
    ("filter", FilterObject | None | UnsetType, UNSET),
    ("score_min", float | None | UnsetType, UNSET),
]
"""The arguments that are the cue, as `msgspec.defstruct` takes them."""

# The arguments that are passed on as they are; the query checks them.
_PLAIN: Final[dict[str, Any]] = {
    "k": int,
    "max_generation": int,
    "ef": int,
    "skip_damaged": bool,
    "include_vectors": bool,
    "timeout_ms": int,
}
_PLAIN_STREAMED: Final[dict[str, Any]] = {"batch_size": int, "include_recent": bool, "follow": bool}

OPTION_FIELDS: Final[list[Any]] = [
    ("snapshot_time", _Moment | None | UnsetType, UNSET),
    ("strength", StrengthForm | None | UnsetType, UNSET),
    *((name, kind | None | UnsetType, UNSET) for name, kind in _PLAIN.items()),
]
"""The arguments of a recall beside its cue."""

RECALL_FIELDS: Final[list[Any]] = [*CUE_FIELDS, *OPTION_FIELDS]
"""The arguments of a recall, as `msgspec.defstruct` takes them."""

RECALL_STREAM_FIELDS: Final[list[Any]] = [
    *RECALL_FIELDS,
    *((name, kind | None | UnsetType, UNSET) for name, kind in _PLAIN_STREAMED.items()),
]
"""The arguments of a streamed recall."""


def query_of(form: Any, arrays: Mapping[str, NDArray[Any]]) -> RecallQuery:
    """Return the query that a recall's arguments make.

    Parameters
    ----------
    form
        An object with the fields `RECALL_FIELDS` or `RECALL_STREAM_FIELDS`.
    arrays
        The arguments that came as arrays of a frame.

    Raises
    ------
    InvalidInput
        If there is nothing to recall by, or an argument is out of range.
    """
    check_known(arrays, ("vector",), "arrays.")
    return RecallQuery(cue_of(form, arrays), **options_of(form))


def options_of(form: Any) -> dict[str, Any]:
    """Return the arguments of a recall beside its cue, by their names in a `RecallQuery`.

    Parameters
    ----------
    form
        An object with the fields `OPTION_FIELDS`, or some of them.

    Raises
    ------
    InvalidInput
        If a time or the strength is none.
    """
    given: dict[str, Any] = {
        name: value
        for name in (*_PLAIN, *_PLAIN_STREAMED)
        if (value := getattr(form, name, UNSET)) is not UNSET and value is not None
    }
    moment = _given(form.snapshot_time)
    if moment is not None:
        given["snapshot_us"] = as_time_us(moment, "snapshot_time")
    strength = _given(form.strength)
    if strength is not None:
        given["strength"] = Strength(**_present(strength))
    return given


def cue_of(form: Any, arrays: Mapping[str, NDArray[Any]]) -> Cue:
    """Return the cue that an object with the fields `CUE_FIELDS` makes, whose vector may be among `arrays`.

    Raises
    ------
    InvalidInput
        If there is nothing to recall by, or its parts do not fit together.
    """
    vector: Any = _given(form.vector)
    if "vector" in arrays:
        vector = arrays["vector"]
        if vector.dtype != np.float32 or vector.ndim != 1:
            raise InvalidInput(
                f"the array 'vector' is of {vector.dtype} and {vector.ndim} dimensions",
                code="wrong_type",
                field="arrays.vector",
                limit="float32 of one dimension",
                value=f"{vector.dtype} of {vector.ndim}",
            )
    elif vector is not None:
        vector = read_vector(vector)
    text, filter = _given(form.text), _given(form.filter)
    if vector is None and not text and filter is None:
        raise InvalidInput(
            'there is nothing to recall by; {"filter": {}} alone recalls the newest',
            code="cue_missing",
            field="cue",
            limit="vector, text or filter",
            value="nothing",
        )
    given = {"by": _given(form.by), "score_min": _given(form.score_min)}
    return Cue(
        vector=vector,
        text=text or "",
        filter=NO_FILTER if filter is None else read_filter(filter),
        **{name: value for name, value in given.items() if value is not None},
    )


def read_filter(given: Mapping[str, Any]) -> Filter | Condition:
    """Return the filter that an object of JSON stands for.

    Raises
    ------
    InvalidInput
        If it stands for none; the error names the field.
    """
    if given and set(given) <= set(FILTER_FIELDS):
        try:
            msgspec.convert(given, FilterForm)
        except msgspec.ValidationError as error:
            placed = msgspec.ValidationError(str(error).replace("`$.", "`$.filter.", 1))
            raise _FILTER_READER.explained(placed) from None
    return as_filter(given)


def _present(form: Struct) -> dict[str, Any]:
    given = {name: _given(getattr(form, name)) for name in form.__struct_fields__}
    return {name: value for name, value in given.items() if value is not None}


def _given(value: Any) -> Any:
    return None if value is UNSET else value

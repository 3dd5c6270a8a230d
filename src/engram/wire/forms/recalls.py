"""Recalls in JSON: the arguments, flat beside each other, and the `RecallQuery` that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from msgspec import UNSET, Struct, UnsetType
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.cue import NO_FILTER, Between, Cue, Filter
from engram.model.query import RecallQuery
from engram.model.strength import Strength
from engram.model.times import as_time_us
from engram.wire.forms.reader import check_known
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


class StrengthForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """The ranking by memory strength; the fields are those of `Strength`."""

    half_life_s: float | UnsetType | None = UNSET
    forgetting: str | UnsetType | None = UNSET
    reinforce: bool | UnsetType | None = UNSET


_CUE_FIELDS: Final[list[Any]] = [
    ("vector", list[float] | str | None | UnsetType, UNSET),
    ("text", str | None | UnsetType, UNSET),
    ("by", str | None | UnsetType, UNSET),
    ("filter", FilterForm | None | UnsetType, UNSET),
    ("score_min", float | None | UnsetType, UNSET),
]
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

RECALL_FIELDS: Final[list[Any]] = [
    *_CUE_FIELDS,
    ("snapshot_time", _Moment | None | UnsetType, UNSET),
    ("strength", StrengthForm | None | UnsetType, UNSET),
    *((name, kind | None | UnsetType, UNSET) for name, kind in _PLAIN.items()),
]
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
    given = {
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
    return RecallQuery(_cue_of(form, arrays), **given)


def _cue_of(form: Any, arrays: Mapping[str, NDArray[Any]]) -> Cue:
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
        filter=NO_FILTER if filter is None else filter_of(filter),
        **{name: value for name, value in given.items() if value is not None},
    )


def filter_of(form: FilterForm) -> Filter:
    """Return the filter that a form is.

    Raises
    ------
    InvalidInput
        If a condition is invalid.
    """
    given = _present(form)
    for name in ("tags", "without_tags"):
        if name in given:
            given[name] = frozenset(given[name])
    if "metadata" in given:
        given["metadata"] = {
            key: Between(*wanted.between) if isinstance(wanted, BetweenForm) else wanted
            for key, wanted in given["metadata"].items()
        }
    return Filter(**given)


def _present(form: Struct) -> dict[str, Any]:
    given = {name: _given(getattr(form, name)) for name in form.__struct_fields__}
    return {name: value for name, value in given.items() if value is not None}


def _given(value: Any) -> Any:
    return None if value is UNSET else value

"""Filters of Haystack, which are dictionaries, as conditions of Engram."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from engram.errors import InvalidInput
from engram.model.filters.conditions import EVERYTHING, NOTHING, Condition, Negation, compared, grouped
from engram.model.filters.operands import Instant, refused
from engram.model.filters.size import Budget, too_large
from engram.model.filters.subjects import Operator, Subject, metadata_subject
from engram.model.limits import FILTER_DEPTH_MAX
from engram.model.times import as_time_us
from engram.model.values.scalars import as_text, shown

META: Final = "meta."
"""What stands before the keys of the meta of a document."""

_EQUALITIES: Final[dict[str, Operator]] = {"==": "eq", "!=": "ne"}
_LISTS: Final[dict[str, Operator]] = {"in": "in", "not in": "not_in"}
_ORDERS: Final[dict[str, Operator]] = {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}
_COMPARISONS: Final = ", ".join((*_EQUALITIES, *_ORDERS, *_LISTS))
_GROUPS: Final = ("AND", "OR", "NOT")
# What a document has beside its id and its meta, and what nothing is filtered by.
_UNFILTERED: Final = frozenset({"content", "blob", "meta", "score", "embedding", "sparse_embedding"})
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ]|\Z)")
_EXAMPLE: Final = '{"field": "meta.page", "operator": "==", "value": 1}'


def condition_of(filters: Mapping[str, Any] | None) -> Condition:
    """Return the condition that a filter stands for; None and an empty one are met by everything.

    Raises
    ------
    InvalidInput
        With code ``invalid_filter``, naming what is wrong and what to write; ``filter_size``, if it is too large.
    """
    if filters is None or (isinstance(filters, Mapping) and not filters):
        return EVERYTHING
    return _part(filters, "filters", 1, Budget())


def key_of(field: str) -> str:
    """Return the key of the meta that a field stands for, with or without ``meta.`` before it."""
    return as_text("metadata_field", field, code="invalid_filter").removeprefix(META)


def _part(filters: object, field: str, depth: int, budget: Budget) -> Condition:
    if not isinstance(filters, Mapping):
        raise refused(
            f"{field} is {shown(filters)}; pass a dictionary, such as {_EXAMPLE}",
            field,
            "a dictionary",
            type(filters).__name__,
        )
    if depth > FILTER_DEPTH_MAX:
        raise too_large("levels", FILTER_DEPTH_MAX, depth)
    budget.take(nodes=1)
    if "field" in filters:
        return _comparison(filters, field, budget)
    return _group(filters, field, depth, budget)


def _group(filters: Mapping[str, Any], field: str, depth: int, budget: Budget) -> Condition:
    operator = as_text(f"{field}.operator", _given(filters, "operator", field), code="invalid_filter")
    conditions = _given(filters, "conditions", field)
    if operator not in _GROUPS:
        raise _unknown(operator, field, ", ".join(_GROUPS))
    if not isinstance(conditions, list | tuple):
        raise refused(
            f"{field}.conditions is {shown(conditions)}; pass a list of dictionaries",
            f"{field}.conditions",
            "a list",
            type(conditions).__name__,
        )
    parts = [_part(each, f"{field}.conditions[{row}]", depth + 1, budget) for row, each in enumerate(conditions)]
    if operator == "OR":
        return grouped("or", parts)
    every = grouped("and", parts)
    return Negation(every) if operator == "NOT" else every


def _comparison(filters: Mapping[str, Any], field: str, budget: Budget) -> Condition:
    subject = _subject(filters["field"], field)
    operator = as_text(f"{field}.operator", _given(filters, "operator", field), code="invalid_filter")
    value = _given(filters, "value", field)
    if operator in _EQUALITIES:
        return compared(subject, _EQUALITIES[operator], _with_time(subject, value))
    if operator in _LISTS:
        if not isinstance(value, list):
            raise refused(
                f"{field}.value of {operator!r} is {shown(value)}; pass a list",
                f"{field}.value",
                "a list",
                type(value).__name__,
            )
        budget.take(values=len(value))
        return compared(subject, _LISTS[operator], [_with_time(subject, each) for each in value])
    if operator not in _ORDERS:
        raise _unknown(operator, field, _COMPARISONS)
    return _ordered(subject, _ORDERS[operator], value, field)


def _ordered(subject: Subject, operator: Operator, value: object, field: str) -> Condition:
    if value is None:
        # Nothing is less or greater than null.
        return NOTHING
    bound = _with_time(subject, value)
    if isinstance(bound, str):
        raise refused(
            f"{field}.value is {shown(bound)}, and of texts only dates are less or greater; pass a number, a datetime "
            "or a text such as 2025-01-31T12:00:00",
            f"{field}.value",
            "a number or a date",
            shown(bound),
        )
    return compared(subject, operator, bound)


def _subject(name: object, field: str) -> Subject:
    text = as_text(f"{field}.field", name, code="invalid_filter")
    if text == "id":
        return Subject("id")
    if text in _UNFILTERED:
        raise refused(
            f"{field}.field is {text!r}, by which documents are not filtered; use id, or a key such as meta.page",
            f"{field}.field",
            "id, or a key of the meta",
            text,
        )
    # As in Haystack, what is no field of a document is a key of its meta.
    return metadata_subject(text.removeprefix(META).split("."))


def _with_time(subject: Subject, value: object) -> object:
    """Return a text that is a date as that time, which other texts mean, too, and everything else as it is."""
    if subject.attribute is not None or not isinstance(value, str) or not _DATE.match(value):
        return value
    try:
        return Instant(as_time_us(value, "value"))
    except InvalidInput:
        return value


def _given(filters: Mapping[str, Any], name: str, field: str) -> Any:
    if name not in filters:
        raise refused(f"{field} has no {name}; write {_EXAMPLE}", f"{field}.{name}", _EXAMPLE, "nothing")
    return filters[name]


def _unknown(operator: str, field: str, known: str) -> InvalidInput:
    named = shown(operator, with_type=False)
    return refused(f"{field}.operator is {named}; use one of {known}", f"{field}.operator", known, named)

"""The values that conditions compare with: which are accepted, and as what they are kept."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

import numpy as np

from engram.errors import InvalidInput
from engram.model.filters.size import too_large
from engram.model.filters.subjects import LISTED, OPERATORS_OF, ORDERS, TIMES, VALUELESS, Operator, Subject
from engram.model.limits import FILTER_VALUES_MAX
from engram.model.times import TIME_MAX_US, TIME_MIN_US, as_time_us, iso_time
from engram.model.values.metadata import WHOLE_MAX, WHOLE_MIN
from engram.model.values.plain_values import comparable_value
from engram.model.values.scalars import as_real, as_text, shown
from engram.model.values.sequences import as_list

_WANTED: Final = "a text, a number, a truth value or None"


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """A time that metadata are compared with, which hold it as a text in the form of ISO 8601.

    Parameters
    ----------
    time_us
        Microseconds since 1970 UTC.
    """

    time_us: int


Operand = str | int | float | bool | Instant | None
"""One value of a condition."""


def operands(subject: Subject, operator: Operator, value: object) -> tuple[Operand, ...]:
    """Return the values of a condition: one, or none or many if the operator takes a list.

    Raises
    ------
    InvalidInput
        With code ``invalid_filter``, if the operator does not go with the subject, or the value with the operator.
    """
    if operator not in OPERATORS_OF[subject.attribute]:
        allowed = ", ".join(OPERATORS_OF[subject.attribute])
        raise refused(f"{_named(subject)} has no condition {operator}; use {allowed}", "op", allowed, operator)
    if operator in VALUELESS:
        return ()
    if operator not in LISTED:
        return (_operand(subject, operator, value, "value"),)
    if isinstance(value, Mapping | str):
        raise _no_list(subject, operator, value)
    try:
        # A range has a length without having its numbers, so it is not listed before that is known. What has no length
        # may say so only when it is asked, such as an array of no dimension, or a class.
        if hasattr(value, "__len__") and (count := len(cast("Sequence[object]", value))) > FILTER_VALUES_MAX:
            raise too_large("values", FILTER_VALUES_MAX, count)
        values = as_list("value", cast("Sequence[object]", value), '["a", "b"]', ordered=False)
    except (InvalidInput, TypeError) as error:
        if isinstance(error, InvalidInput) and error.code == "filter_size":
            raise
        raise _no_list(subject, operator, value) from error
    if len(values) > FILTER_VALUES_MAX:
        raise too_large("values", FILTER_VALUES_MAX, len(values))
    return tuple(_operand(subject, operator, each, f"value[{row}]") for row, each in enumerate(values))


def operand_text(value: Operand) -> str:
    """Return a value as it stands in the text of a filter."""
    if isinstance(value, Instant):
        return f"time({json.dumps(iso_time(value.time_us))})"
    return json.dumps(value, ensure_ascii=False)


def refused(message: str, field: str, limit: object, value: object) -> InvalidInput:
    """Return the error for a filter that means nothing."""
    return InvalidInput(message, code="invalid_filter", field=field, limit=limit, value=value)


def _operand(subject: Subject, operator: Operator, value: object, field: str) -> Operand:
    if subject.attribute in TIMES:
        return value if isinstance(value, Instant) else Instant(as_time_us(cast("Any", value), field))
    try:
        value = comparable_value(value)
    except ValueError as error:
        raise _wrong(subject, field, value, _WANTED) from error
    if isinstance(value, np.datetime64 | date):
        if subject.attribute is not None:
            raise _wrong(subject, field, value, "a text" if subject.attribute in ("id", "tags") else "a number")
        if operator in ("prefix", "contains"):
            raise _wrong(subject, field, value, "a text")
        return Instant(as_time_us(value, field))
    if subject.attribute in ("id", "tags"):
        if not isinstance(value, str):
            raise _wrong(subject, field, value, "a text")
        return as_text(field, value, code="invalid_filter")
    if subject.attribute is not None:
        number = as_real(f"{field} of {_named(subject)}", value, "a number", code="invalid_filter")
        if not math.isfinite(number):
            raise _wrong(subject, field, value, "a finite number")
        return number
    return _metadata_operand(subject, operator, value, field)


def _metadata_operand(subject: Subject, operator: Operator, value: object, field: str) -> Operand:
    if isinstance(value, str):
        return as_text(field, value, code="invalid_filter")
    if operator == "prefix" or (operator == "contains" and isinstance(value, Instant)):
        raise _wrong(subject, field, value, "a text")
    if isinstance(value, Instant):
        return value
    if operator in ORDERS and (value is None or isinstance(value, bool)):
        raise _wrong(subject, field, value, "a number, a text or a time, which are less or greater than others")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _wrong(subject, field, value, "a finite number")
        # Subclasses of the types of JSON, such as those of enumerations, are kept as what they are in JSON.
        return float(value)
    if isinstance(value, int):
        if not WHOLE_MIN <= value <= WHOLE_MAX:
            raise _wrong(subject, field, value, "a whole number that fits 64 bits")
        return int(value)
    hint = ""
    if isinstance(value, Sequence | set | frozenset) and operator in ("eq", "ne"):
        hint = "; for one of several values use in (is_in), for an element of a list use contains"
    raise _wrong(subject, field, value, _WANTED, hint)


def instant(time_us: int) -> Instant:
    """Return the time `time_us`, microseconds since 1970 UTC.

    Raises
    ------
    InvalidInput
        With code ``invalid_filter``, if it is outside the years 1 to 9999.
    """
    if not TIME_MIN_US <= time_us <= TIME_MAX_US:
        raise refused(
            f"the time {time_us} us lies outside the years 1 to 9999", "value", "the years 1 to 9999", time_us
        )
    return Instant(time_us)


def _named(subject: Subject) -> str:
    return f"{subject}" if subject.attribute is not None else f"the key {subject}"


def _wrong(subject: Subject, field: str, value: object, wanted: str, hint: str = "") -> InvalidInput:
    what = shown(value)
    return refused(f"{field} for {_named(subject)} is {what}; pass {wanted}{hint}", field, wanted, what)


def _no_list(subject: Subject, operator: Operator, value: object) -> InvalidInput:
    return refused(
        f'value of {operator} for {_named(subject)} is {shown(value)}; pass a list, such as ["a", "b"]',
        "value",
        "a list",
        type(value).__name__,
    )

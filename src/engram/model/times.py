"""Conversion of times to microseconds since 1970 UTC, with one range for all callers.

The range is the years 1 to 9999. `datetime` and protobuf timestamps cover the same years, so every accepted time can be
shown anywhere. The range also detects a wrong unit: today's date in milliseconds, microseconds or nanoseconds is out of
range if it is read as seconds. A time without a time zone is UTC.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.values.scalars import is_real, shown
from engram.model.values.sequences import as_column

Moment = float | Decimal | date | np.datetime64 | str
"""Seconds since 1970, a `date` or `datetime`, also of pandas, a ``datetime64``, or a text in the form of ISO 8601."""

Moments = ArrayLike | Iterable[Moment]
"""Several of them, of one form or of many."""

TIME_MIN_US: Final = -62_135_596_800_000_000
TIME_MAX_US: Final = 253_402_300_799_999_999
_MICROS: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = datetime(1970, 1, 1)  # `isoformat` adds the zone of a time that has one.
_MICROSECOND: Final = timedelta(microseconds=1)
_YEARS: Final = "the years 1 to 9999"
_WANTED: Final = "seconds since 1970, a datetime (UTC if it has no zone) or a text such as 2025-01-31T12:00:00Z"
# The years 1990 to 2200, in microseconds. If a refused number falls between them in another unit, the error message
# suggests that unit.
_LIKELY_US: Final = (631_152_000 * _MICROS, 7_258_118_400 * _MICROS)
# More digits before the point are far beyond all times, and cost time and memory to compute with.
_DECIMAL_DIGITS_MAX: Final = 20
# Microseconds per unit.
_UNITS: Final = {"seconds": _MICROS, "milliseconds": 1000, "microseconds": 1, "nanoseconds": 0.001}


def now_us() -> int:
    """Return the time of the wall clock in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def as_time_us(moment: object, field: str) -> int:
    """Return a `Moment` as microseconds since 1970 UTC.

    Raises
    ------
    InvalidInput
        With code ``invalid_time``, naming `field`, if `moment` is not a time, not finite, NaT, or outside the years 1
        to 9999.
    """
    if isinstance(moment, Enum):
        moment = moment.value
    if is_real(moment) or isinstance(moment, Decimal):
        return _from_seconds(moment, field)
    if isinstance(moment, np.datetime64):
        return int(_from_datetime64(np.array([moment]), field, 0)[0])
    try:
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        if isinstance(moment, date):
            return int((_at(moment) - _EPOCH) // _MICROSECOND)
    except (ValueError, TypeError, ArithmeticError):
        # A text that is not ISO 8601, or a missing date of another library, such as NaT of pandas.
        pass
    raise _refused(field, f"{field} is {shown(moment)}; pass {_WANTED}", shown(moment))


def iso_time(time_us: int) -> str:
    """Return a time, in microseconds since 1970 UTC, as ISO 8601 with microseconds."""
    return f"{(_NAIVE_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec='microseconds')}Z"


def as_times_us(moments: Moments, count: int, field: str) -> NDArray[np.int64]:
    """Return one `Moment` per row as microseconds since 1970 UTC: int64, shape ``(count,)``.

    Raises
    ------
    InvalidInput
        As `as_time_us`, naming the row; also if there is not exactly one time for each of `count` rows.
    """
    column = as_column(field, moments, count, "fiuMOU", "times")
    if column.dtype.kind in "OU":
        times = [as_time_us(moment, f"{field}[{row}]") for row, moment in enumerate(column.tolist())]
        return np.array(times, np.int64)
    if column.dtype.kind == "M":
        return _from_datetime64(column, field)
    if column.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            micros: NDArray[Any] = np.round(column.astype(np.float64) * 1e6)
        good = (micros >= TIME_MIN_US) & (micros < TIME_MAX_US + 1)
    else:
        good = (column >= TIME_MIN_US // _MICROS) & (column <= TIME_MAX_US // _MICROS)
        micros = np.where(good, column, 0).astype(np.int64) * _MICROS
    if not good.all():
        row = int(np.argmin(good))
        raise _out_of_range(f"{field}[{row}]", column[row].item(), "seconds")
    return micros.astype(np.int64)


def check_time_us(time_us: int, field: str) -> int:
    """Return `time_us`, in microseconds since 1970 UTC, if it is within the years 1 to 9999.

    Raises
    ------
    InvalidInput
        With code ``invalid_time``, naming `field`.
    """
    if not TIME_MIN_US <= time_us <= TIME_MAX_US:
        raise _out_of_range(field, time_us, "microseconds")
    return time_us


def check_times_us(times_us: NDArray[np.int64], field: str) -> None:
    """Check that all of `times_us` are within the years 1 to 9999.

    Parameters
    ----------
    times_us
        int64, shape ``(n,)``, microseconds since 1970 UTC.
    field
        Name of the times in the error message.

    Raises
    ------
    InvalidInput
        With code ``invalid_time``, naming `field` and the row.
    """
    # Two reductions need no temporary array, and nearly every batch passes.
    if len(times_us) and not (times_us.min() >= TIME_MIN_US and times_us.max() <= TIME_MAX_US):
        row = int(np.argmin((times_us >= TIME_MIN_US) & (times_us <= TIME_MAX_US)))
        check_time_us(int(times_us[row]), f"{field}[{row}]")


def _at(moment: date) -> datetime:
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _from_seconds(seconds: Any, field: str) -> int:
    try:
        if isinstance(seconds, int | np.integer):
            micros = int(seconds) * _MICROS
        elif isinstance(seconds, Decimal) and seconds.adjusted() < _DECIMAL_DIGITS_MAX:
            micros = round(seconds * _MICROS)
        else:
            micros = round(float(seconds) * _MICROS)
    except (ValueError, ArithmeticError):
        # NaN or an infinity.
        micros = TIME_MAX_US + 1
    if not TIME_MIN_US <= micros <= TIME_MAX_US:
        raise _out_of_range(field, seconds, "seconds")
    return micros


def _from_datetime64(column: NDArray[Any], field: str, only: int | None = None) -> NDArray[np.int64]:
    # Compare whole years first, because the conversion of a coarser unit to microseconds could wrap around.
    years = column.astype("datetime64[Y]").astype(np.int64) + 1970
    good = ~np.isnat(column) & (years >= 1) & (years <= 9999)
    if not good.all():
        row = int(np.argmin(good))
        where = field if only is not None else f"{field}[{row}]"
        raise _refused(where, f"{where} is {column[row]}; pass a time within {_YEARS}", column[row])
    return column.astype("datetime64[us]").astype(np.int64)


def _out_of_range(field: str, number: Any, unit: str) -> InvalidInput:
    value = shown(number, with_type=False)
    return _refused(
        field, f"{field} is {value}; pass {unit} since 1970, within {_YEARS}{_hint(number, unit)}", f"{value} {unit}"
    )


def _hint(number: Any, unit: str) -> str:
    low, high = _LIKELY_US
    for other, micros in _UNITS.items():
        try:
            is_likely = other != unit and low <= float(number) * micros <= high
        except (ValueError, OverflowError):
            is_likely = False
        if is_likely:
            return f". It looks like {other}"
    return ""


def _refused(field: str, message: str, value: object) -> InvalidInput:
    return InvalidInput(message, code="invalid_time", field=field, limit=_YEARS, value=value)

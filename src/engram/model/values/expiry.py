"""When observations expire: what callers pass, and the numbers that stand for it in a column.

A time to live counts from the moment in which the engine takes an observation, by the clock of the engine. Until then a
column holds the duration itself, so that a write that is sent again asks for the same, and the clocks of clients do not
matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.times import TIME_MAX_US, TIME_MIN_US, as_time_us, as_times_us, check_time_us
from engram.model.values.masked import is_masked
from engram.model.values.scalars import is_real, shown
from engram.model.values.sequences import as_list, wrong_length

Ttl = float | Decimal | timedelta
"""A time to live: seconds, or a `timedelta`; infinity stands for an observation that never expires."""

NEVER_US: Final = 2**63 - 1
"""Stands for an observation that never expires."""

NOT_SAID_US: Final = -(2**63)
"""Stands for an observation of which nothing was said; it expires as its space says, or else never."""

TTL_S_MAX: Final = 10_000_000_000
"""The longest time to live, in seconds. With it, the present time stays within the years 1 to 9999."""

# A time to live is kept as this and its microseconds, far below the first time that there is.
_TTL_BASE_US: Final = NOT_SAID_US + 1
_TTL_TOP_US: Final = _TTL_BASE_US + TTL_S_MAX * 1_000_000
_MICROSECOND: Final = timedelta(microseconds=1)
_WANTED: Final = f"seconds or a timedelta, within 0..{TTL_S_MAX} s; math.inf stands for never"
_ONE_MOMENT: Final = (str, date, np.datetime64, Enum)
_ONE_TTL: Final = (timedelta, np.timedelta64, str)


def as_ttl_us(value: object, field: str = "ttl") -> int:
    """Return a `Ttl` as the number that stands for it in a column.

    Raises
    ------
    InvalidInput
        With code ``invalid_ttl``, naming `field`, the limit and the value, if it is none, negative, NaN or too long.
    """
    micros: float | None = None
    try:
        if isinstance(value, np.timedelta64):
            # NaT is smaller than all, and so refused below.
            micros = int(value.astype("timedelta64[us]").astype(np.int64))
        elif isinstance(value, timedelta):
            micros = value // _MICROSECOND
        elif is_real(value) or isinstance(value, Decimal):
            seconds = float(value)  # type: ignore[arg-type]  # Both have been checked to be numbers.
            if seconds == math.inf:
                return NEVER_US
            micros = seconds if math.isnan(seconds) else round(seconds * 1e6)
    except (ValueError, TypeError, ArithmeticError):
        # A signalling NaN, minus infinity, or years of NumPy, which are of no length.
        micros = None
    if micros is None or not 0 <= micros <= TTL_S_MAX * 1_000_000:
        raise InvalidInput(
            f"{field} is {shown(value)}; pass {_WANTED}",
            code="invalid_ttl",
            field=field,
            limit=f"0..{TTL_S_MAX} s",
            value=shown(value),
        )
    return _TTL_BASE_US + int(micros)


def ttl_column(values: object, count: int, field: str = "ttl") -> NDArray[np.int64]:
    """Return times to live as a column of `count` rows; one value counts for all, and None for a row without.

    Raises
    ------
    InvalidInput
        As `as_ttl_us`, naming the row; also if there is not exactly one for each row.
    """
    if is_real(values) or isinstance(values, (*_ONE_TTL, Decimal)):
        return np.full(count, as_ttl_us(values, field), np.int64)
    return _column(values, count, field, as_ttl_us)


def moment_column(values: object, count: int, field: str) -> NDArray[np.int64]:
    """Return the times at which observations expire as a column of `count` rows.

    One time counts for all. None, or NaT in an array of times, counts for a row of which nothing is said.

    Raises
    ------
    InvalidInput
        With code ``invalid_time``, naming the row; also if there is not exactly one for each row.
    """
    if is_real(values) or isinstance(values, (*_ONE_MOMENT, Decimal)):
        return np.full(count, as_time_us(values, field), np.int64)
    if isinstance(values, np.ndarray) and values.ndim == 1:
        missing = np.isnat(values) if values.dtype.kind == "M" else np.zeros(len(values), dtype=bool)
        if not missing.any() and values.dtype.kind != "O":
            return as_times_us(values, count, field)
    return _column(values, count, field, as_time_us)


def changed_expiries(expires_at: object, ttl: object, count: int) -> NDArray[np.int64]:
    """Return the column that an update makes of times or of times to live, in which None stands for never.

    Raises
    ------
    InvalidInput
        As `moment_column` and `ttl_column`.
    """
    column: NDArray[np.int64] | None
    if ttl is not None:
        column = ttl_column(ttl, count)
    elif expires_at is not None:
        column = moment_column(expires_at, count, "expires_at")
    else:
        column = None
    return never_if_not_said(column, count)


def never_if_not_said(column: NDArray[np.int64] | None, count: int) -> NDArray[np.int64]:
    """Return a column in which nothing said stands for never, as in an update; None: of all `count` rows."""
    if column is None:
        return np.full(count, NEVER_US, np.int64)
    return np.where(column == NOT_SAID_US, NEVER_US, column).astype(np.int64)


def check_expiries(column: NDArray[np.int64], field: str) -> None:
    """Check that each number of a column stands for something.

    Raises
    ------
    InvalidInput
        With code ``invalid_time``, naming `field` and the row.
    """
    good = (column <= _TTL_TOP_US) | ((column >= TIME_MIN_US) & (column <= TIME_MAX_US)) | (column == NEVER_US)
    if not good.all():
        row = int(np.argmin(good))
        check_time_us(int(column[row]), f"{field}[{row}]")


def expires(column: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rows of a column that the engine has taken expire at some time."""
    found: NDArray[np.bool_] = (column >= TIME_MIN_US) & (column <= TIME_MAX_US)
    return found


def taken_expiries(
    column: NDArray[np.int64] | None, count: int, default_us: int | None, now_us: int
) -> NDArray[np.int64] | None:
    """Return a column of `count` rows as it is stored: times, and `NEVER_US`; None if no row expires.

    Parameters
    ----------
    column
        The column as it came; None if nothing was said of any row.
    default_us
        The time to live, in microseconds, of rows of which nothing was said; None: they never expire.
    now_us
        The present time, from which times to live count.
    """
    if column is None:
        return None if default_us is None else np.full(count, _later(now_us, default_us), np.int64)
    taken = column.copy()
    taken[column == NOT_SAID_US] = NEVER_US if default_us is None else _later(now_us, default_us)
    lives = (column > NOT_SAID_US) & (column <= _TTL_TOP_US)
    taken[lives] = np.minimum(column[lives] - _TTL_BASE_US + now_us, TIME_MAX_US)
    return taken if expires(taken).any() else None


def arguments_of_expiries(column: NDArray[np.int64]) -> dict[str, Any]:
    """Return a column as the argument of a call that makes it again: ``ttl`` if it has times to live."""
    if not ((column > NOT_SAID_US) & ~expires(column)).any():
        # NumPy's NaT is the number that stands for nothing said.
        return {"expires_at": column.view("datetime64[us]")}
    if expires(column).any():
        raise ValueError("no call takes both times and times to live")
    return {"expires_at": None, "ttl": [_ttl_of(number) for number in column.tolist()]}


def ttl_us_of(ttl_s: float | None) -> int | None:
    """Return a recorded default of seconds as microseconds."""
    return None if ttl_s is None else round(ttl_s * 1e6)


def checked_ttl_s(ttl: object, field: str = "ttl") -> float | None:
    """Return the default time to live of a space in seconds; None, and infinity, stand for none.

    Raises
    ------
    InvalidInput
        As `as_ttl_us`.
    """
    if ttl is None:
        return None
    micros = as_ttl_us(ttl, field)
    return None if micros == NEVER_US else (micros - _TTL_BASE_US) / 1e6


def check_one_expiry(expires_at: object, ttl: object) -> None:
    """Check that not both are given.

    Raises
    ------
    InvalidInput
        With code ``invalid_ttl``.
    """
    if expires_at is not None and ttl is not None:
        raise InvalidInput(
            "there are both expires_at and ttl; pass one of them",
            code="invalid_ttl",
            field="ttl",
            limit="expires_at or ttl",
            value="both",
        )


def _column(values: object, count: int, field: str, convert: Callable[[Any, str], int]) -> NDArray[np.int64]:
    if is_masked(values):
        raise InvalidInput(
            f"{field} are a masked array; pass array.filled(...) or leave the rows out",
            code="invalid_column",
            field=field,
            limit="one for each row",
            value="masked",
        )
    listed = as_list(field, _iterable(values), "[...] with one for each row", count_max=count)
    if len(listed) != count:
        raise wrong_length(field, len(listed), count)
    is_missing = [value is None or (isinstance(value, np.datetime64) and np.isnat(value)) for value in listed]
    return np.array(
        [
            NOT_SAID_US if missing else convert(value, f"{field}[{row}]")
            for row, (value, missing) in enumerate(zip(listed, is_missing, strict=True))
        ],
        dtype=np.int64,
    )


def _iterable(values: object) -> Iterable[Any]:
    # NumPy's lists of times to microseconds and finer would be plain numbers; its elements are not.
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "Mm":
        return list(values)
    return cast("Iterable[Any]", values)  # `as_list` refuses what is none.


def _ttl_of(number: int) -> float | timedelta | None:
    if number == NOT_SAID_US:
        return None
    return math.inf if number == NEVER_US else timedelta(microseconds=number - _TTL_BASE_US)


def _later(now_us: int, ttl_us: int) -> int:
    return min(now_us + ttl_us, TIME_MAX_US)

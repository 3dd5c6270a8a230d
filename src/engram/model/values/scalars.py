"""Conversion and checks of single numbers and texts that a caller passes."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from engram.errors import InvalidInput

_SHOWN_CHARACTERS_MAX: Final = 60
_NUMBERS: Final = (int, float, np.integer, np.floating)
# Subclasses of the number types above that do not stand for a number.
_NO_NUMBERS: Final = (bool, np.timedelta64)


def as_whole(field: str, value: object, low: int, high: int, *, code: str = "out_of_range") -> int:
    """Return `value` as an `int` from `low` to `high`; NumPy integers are accepted, truth values are refused.

    Raises
    ------
    InvalidInput
        With `code`, naming `field`, the limits and the value.
    """
    if type(value) is int and low <= value <= high:
        return value
    limit = f"{low}..{high}"
    if isinstance(value, _NO_NUMBERS) or not isinstance(value, int | np.integer):
        raise InvalidInput(
            f"{field} is {shown(value)}; pass a whole number within {limit}",
            code=code,
            field=field,
            limit=limit,
            value=shown(value),
        )
    whole = int(value)
    if not low <= whole <= high:
        digits = shown(whole, with_type=False)
        raise InvalidInput(
            f"{field} is {digits}; it must be within {limit}", code=code, field=field, limit=limit, value=digits
        )
    return whole


def as_real(field: str, value: object, wanted: str = "a number", *, code: str = "out_of_range") -> float:
    """Return `value` as a `float`; NaN, truth values and texts are refused.

    Parameters
    ----------
    field
        Name of the value in the error message.
    value
        The value.
    wanted
        Description of an accepted value, for the error message.
    code
        Code of the error.

    Raises
    ------
    InvalidInput
        With `code`, naming `field`, `wanted` and the value.
    """
    if type(value) is float and not math.isnan(value):
        return value
    number = math.nan
    if is_real(value):
        try:
            number = float(value)  # type: ignore[arg-type]  # `is_real` has checked the type.
        except OverflowError:
            wanted = f"{wanted} that a double can hold"
    if math.isnan(number):
        raise InvalidInput(
            f"{field} is {shown(value)}; pass {wanted}", code=code, field=field, limit=wanted, value=shown(value)
        )
    return number


def as_flag(field: str, value: object, *, code: str = "invalid_flag") -> bool:
    """Return `value` as a `bool`; NumPy's truth values are accepted, and nothing else that merely counts as one.

    Raises
    ------
    InvalidInput
        With `code`, naming `field` and the value.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InvalidInput(
        f"{field} is {shown(value)}; pass True or False",
        code=code,
        field=field,
        limit="True or False",
        value=shown(value),
    )


def is_real(value: object) -> bool:
    """Return whether `value` is a real number; NaN and the infinities count as such."""
    return type(value) is float or (isinstance(value, _NUMBERS) and not isinstance(value, _NO_NUMBERS))


def as_text(field: str, value: object, *, code: str = "invalid_text") -> str:
    """Return `value` if it is a text that UTF-8 can encode.

    Raises
    ------
    InvalidInput
        With `code`, naming `field` and what to pass instead.
    """
    if type(value) is str and value.isascii():
        return value
    if not isinstance(value, str):
        raise InvalidInput(
            f"{field} is {shown(value)}; pass a text{_instead(value)}",
            code=code,
            field=field,
            limit="str",
            value=type(value).__name__,
        )
    if not is_utf8(value):
        raise InvalidInput(
            f"{field} holds half of a surrogate pair, which is no character and cannot be written as UTF-8",
            code=code,
            field=field,
            limit="UTF-8",
            value=ascii(value[:40]),
        )
    return value


def is_utf8(text: str) -> bool:
    """Return whether UTF-8 can encode `text`; a lone surrogate cannot be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(value: object, *, with_type: bool = True) -> str:
    """Return a short description of `value` for a message; never a whole payload, and never raises."""
    if value is None:
        return "None"
    try:
        text = ascii(value) if isinstance(value, str) else repr(value)
    except Exception:
        # The `repr` of a caller's object may raise anything, and that of a very long number raises ValueError.
        text = "a value that cannot be shown"
    text = " ".join(text.split())
    if len(text) > _SHOWN_CHARACTERS_MAX:
        text = text[:_SHOWN_CHARACTERS_MAX] + "..."
    return f"{text} (of type {type(value).__name__})" if with_type else text


def _instead(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return ", such as value.decode()"
    return ", such as str(value)" if isinstance(value, int | np.integer) else ""

"""How long a call, or a wait, may take."""

from __future__ import annotations

from typing import Final

from engram.errors import InvalidInput
from engram.model.values.scalars import as_real

TIMEOUT_S_MAX: Final = 86_400.0
"""Maximum number of seconds that a call may be given: a day."""


def as_timeout_s_or_none(value: object) -> float | None:
    """Return the argument `timeout_s` where None means that there is no limit. Raises as `as_timeout_s`."""
    return None if value is None else as_timeout_s(value)


def as_timeout_s(value: object, *, above_zero: bool = False) -> float:
    """Return the argument `timeout_s` of a call or a client as a `float`.

    Raises
    ------
    InvalidInput
        If it is no number of seconds from 0, or above 0, to `TIMEOUT_S_MAX`.
    """
    limit = f"a number of seconds {'above' if above_zero else 'from'} 0, at most {TIMEOUT_S_MAX:g}"
    number = as_real("timeout_s", value, limit, code="invalid_option")
    if not 0 <= number <= TIMEOUT_S_MAX or (above_zero and not number):
        raise InvalidInput(
            f"timeout_s is {number:g}; pass {limit}",
            code="invalid_option",
            field="timeout_s",
            limit=limit,
            value=number,
        )
    return number

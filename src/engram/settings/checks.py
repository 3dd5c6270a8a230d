"""Checks of the values of settings, by their description."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final, cast

import numpy as np

from engram.errors import InvalidInput
from engram.model.values.scalars import is_real, is_utf8, shown
from engram.settings.setting import OptionsClass, Setting, settings_of

# Numbers reach the native core as integers of 64 bits.
_WHOLE_MAX: Final = 2**63 - 1


def check_settings(options: OptionsClass) -> None:
    """Check each setting of an object while it is constructed, and give it the exact type of its setting.

    Raises
    ------
    InvalidInput
        If a value has the wrong type or is out of bounds. The error names the field, what is accepted and the value.
    """
    for name, described in settings_of(type(options)):
        value = getattr(options, name)
        converted = conform(described, value)
        if converted is None:
            raise InvalidInput(
                f"{name} is {shown(value)}; it must be {allowed_instead_of(described, value)}",
                code=described.code,
                field=name,
                limit=described.allowed,
                value=shown(value, with_type=False),
            )
        # The classes of options are frozen, and this is still part of their construction.
        object.__setattr__(options, name, converted)


def conform(described: Setting, value: object) -> object | None:
    """Return `value` in the type of the setting, or None if it is not accepted. NumPy's numbers become Python's."""
    if isinstance(described.default, tuple):
        return _as_numbers(described, value)
    if isinstance(described.default, bool):
        return value if type(value) is bool else None
    if isinstance(described.default, int | float):
        return _as_number(described, value)
    if isinstance(described.default, Path):
        return Path(value) if isinstance(value, str | Path) and str(value) else None
    if not isinstance(value, str) or not is_utf8(value):
        return None
    return value if not described.choices or value in described.choices else None


def allowed_instead_of(described: Setting, value: object) -> str:
    """Return what is accepted instead of `value`, for a message."""
    if isinstance(value, int) and value > _WHOLE_MAX and described.high is None:
        return f"{described.allowed}, and less than 2^63"
    return described.allowed


def _as_number(described: Setting, value: object) -> int | float | None:
    if not is_real(value):
        return None
    number: int | float
    if isinstance(described.default, int):
        if not isinstance(value, int | np.integer):
            return None
        number = int(value)
        fits = number <= _WHOLE_MAX
    else:
        try:
            number = float(cast(float, value))
        except OverflowError:
            return None
        fits = math.isfinite(number) or (number == math.inf == described.high)
    fits = fits and (described.low is None or number >= described.low)
    fits = fits and (described.above is None or number > described.above)
    return number if fits and (described.high is None or number <= described.high) else None


def _as_numbers(described: Setting, value: object) -> tuple[int, ...] | None:
    """Return a list or tuple of numbers as a tuple, if it is as long as the default and each number is accepted."""
    default = cast("tuple[int, ...]", described.default)
    if not isinstance(value, list | tuple) or len(value) != len(default):
        return None
    numbers = [
        _as_number(Setting(example, low=described.low, high=described.high), each)
        for example, each in zip(default, value, strict=True)
    ]
    return tuple(int(number) for number in numbers if number is not None) if None not in numbers else None

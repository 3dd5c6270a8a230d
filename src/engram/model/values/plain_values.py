"""What JSON does not have, as JSON has it: one mapping for the values of metadata, wherever they come in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import numpy as np

from engram.model.values.scalars import shown

_ADVICE: Final = (
    "pass a text, a number, True, False, None, a list, a mapping, a date, a datetime, a UUID, a Decimal or an Enum"
)


def plain_value(value: object) -> Any:
    """Return the value of JSON that stands for `value`, which is none itself.

    - A `datetime`, also of pandas, and a ``datetime64`` become a text of ISO 8601 in UTC, such as
      ``2025-01-31T12:00:00Z``, with six digits after the point if there are microseconds; without a zone they are UTC.
    - A `date` becomes ``2025-01-31``, a `UUID` its usual text.
    - A `Decimal` becomes a number: a whole one exactly, another one the nearest double.
    - Scalars of NumPy become what they stand for, members of an `Enum` their value.

    Raises
    ------
    ValueError
        If nothing stands for it, such as a missing date (NaT), or a set.
    """
    if isinstance(value, Enum):
        # Members that are texts or numbers have been encoded as such, so this one's value is of another type.
        return value.value
    if isinstance(value, datetime | np.datetime64):
        return _time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, np.bool_ | np.integer | np.floating) and not isinstance(value, np.timedelta64):
        return value.item() if not isinstance(value, np.longdouble) else float(value)
    raise ValueError(f"it holds {shown(value)}; {_ADVICE}{_instead(value)}")


def comparable_value(value: object) -> Any:
    """Return what metadata are compared with where a filter names `value`: what it is stored as, unless it is a time.

    A time stays one, since filters compare the texts of times as moments. So does what nothing stands for.

    Raises
    ------
    ValueError
        If it is a number that metadata cannot hold, such as a `Decimal` without end.
    """
    while isinstance(value, Enum):
        value = value.value
    if isinstance(value, UUID | Decimal | np.bool_ | np.integer | np.floating):
        return plain_value(value)
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value


def _time_text(value: datetime | np.datetime64) -> str:
    try:
        moment: Any = value.astype("datetime64[us]").item() if isinstance(value, np.datetime64) else value
        # Those of pandas keep nanoseconds, and are converted like this to what does not.
        moment = moment.to_pydatetime(warn=False) if hasattr(moment, "to_pydatetime") else moment
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        # The missing date of pandas passes for a datetime, and is equal to nothing.
        text: str = moment.isoformat() if moment == moment else ""  # noqa: PLR0124
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"it holds {shown(value)}, which is no time within the years 1 to 9999; pass None") from error
    if not text:
        raise ValueError(f"it holds {shown(value)}, which is no time; pass None")
    return text.removesuffix("+00:00") + "Z"


def _number(value: Decimal) -> int | float:
    if not value.is_finite() or value.adjusted() > 400:
        raise ValueError(f"it holds {shown(value)}, which no number of JSON stands for; pass None or a text")
    return int(value) if value == value.to_integral_value() else float(value)


def _instead(value: object) -> str:
    if isinstance(value, set | frozenset):
        return ", such as sorted(value)"
    if isinstance(value, np.ndarray):
        return ", such as value.tolist()"
    return ", such as value.decode()" if isinstance(value, bytes | bytearray) else ""

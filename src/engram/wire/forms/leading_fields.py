"""The fields in front of what cannot be read: they tell which call or which observations a refused message is about."""

from __future__ import annotations

import json
import re
from typing import Any, Final

LOOKED_AT_BYTES: Final = 1024 * 1024
"""How far is looked for fields: refusing a message must not cost more than taking it."""

_BEFORE_NAME: Final = re.compile(r"\s*[{,]\s*")
_BEFORE_VALUE: Final = re.compile(r"\s*:\s*")
# Unlike the strict reader, it takes NaN and keys that occur twice.
_decode: Final = json.JSONDecoder().raw_decode


def leading_fields(text: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object up to the first that is no JSON; of a field that occurs twice, the first.

    Parameters
    ----------
    text
        The object, or what is left of it.
    """
    start = str(text[:LOOKED_AT_BYTES], "utf-8", "replace")
    fields: dict[str, Any] = {}
    place = 0
    try:
        while (before := _BEFORE_NAME.match(start, place)) is not None:
            name, place = _decode(start, before.end())
            before = _BEFORE_VALUE.match(start, place)
            if before is None or not isinstance(name, str):
                break
            value, place = _decode(start, before.end())
            fields.setdefault(name, value)
    except (ValueError, RecursionError):
        pass
    return fields

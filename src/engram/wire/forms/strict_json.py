"""JSON that all readers understand alike: what others would read differently, or not at all, is refused."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from engram.errors import InvalidInput
from engram.model.values.scalars import is_utf8, shown

_HALF_PAIR: Final = re.compile(r"\\u[dD][89a-fA-F]")


def parse_object(text: bytes | bytearray | memoryview, what: str) -> dict[str, Any]:
    """Return the JSON object in `text`.

    Parameters
    ----------
    text
        UTF-8, without a byte order mark.
    what
        Name of the text in the error.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``, if it is no JSON object, a key occurs twice, a number is not finite, or a text
        holds half of a surrogate pair.
    """
    try:
        decoded = str(text, "utf-8")
        value = _decode(decoded)
        if _HALF_PAIR.search(decoded) and not is_utf8(json.dumps(value, ensure_ascii=False)):
            raise ValueError("a text holds half of a surrogate pair, which is no character")
    except RecursionError:
        refuse(f"{what} is nested too deeply", what, "a few levels", f"{len(text)} bytes")
    except ValueError as error:
        refuse(f"{what} is no JSON: {error}", what, "a JSON object", f"{len(text)} bytes")
    if not isinstance(value, dict):
        refuse(f"{what} is no JSON object", what, "a JSON object", type(value).__name__)
    return value


def refuse(message: str, field: str, limit: object, value: object) -> NoReturn:
    """Raise the error of a message that cannot be read.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``.
    """
    raise InvalidInput(message, code="malformed_message", field=field, limit=limit, value=value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {shown(twice, with_type=False)} occurs twice")
    return made


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:24]} is beyond what a double can hold")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


_decode: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant).decode

"""JSON that all readers understand alike: what others would read differently, or not at all, is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

from engram.model.values.scalars import is_utf8, shown

HALF_PAIR: Final = re.compile(r"\\u[dD][89a-fA-F]")
"""Matches a JSON text that may hold half of a surrogate pair, which is no character."""


def strict_decoder(parse_int: Callable[[str], int] | None = None) -> Callable[[str], Any]:
    """Return a function that decodes JSON, and raises `ValueError` if a key occurs twice or a number is not finite.

    Parameters
    ----------
    parse_int
        Reads the digits of whole numbers; None: any number of them.
    """
    return json.JSONDecoder(
        object_pairs_hook=_unique, parse_int=parse_int, parse_float=_finite, parse_constant=_no_constant
    ).decode


def holds_half_pair(text: str, value: Any) -> bool:
    """Return whether `value`, which was decoded from `text`, holds half of a surrogate pair."""
    return HALF_PAIR.search(text) is not None and not is_utf8(json.dumps(value, ensure_ascii=False))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {shown(key, with_type=False)} occurs twice")
            seen.add(key)
    return made


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:24]} is beyond what a double can hold")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")

"""Rows in parts, each of which one call takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX

_TOO_LARGE: Final = frozenset({"batch_bytes", "message_bytes"})


def in_parts(count: int, call: Callable[[slice], int]) -> int:
    """Call `call` with each part of `count` rows, in their order, and return the sum of what it returns.

    A part has at most as many rows as one call takes. One that is refused because it has too many bytes is halved.
    """
    starts = range(0, count, BATCH_COUNT_MAX)
    return sum(_called(slice(start, min(start + BATCH_COUNT_MAX, count)), call) for start in starts)


def _called(part: slice, call: Callable[[slice], int]) -> int:
    try:
        return call(part)
    except InvalidInput as error:
        if error.code not in _TOO_LARGE or part.stop - part.start < 2:
            raise
    middle = (part.start + part.stop) // 2
    return _called(slice(part.start, middle), call) + _called(slice(middle, part.stop), call)

"""Lines of a body that arrives in parts, within a limit for each line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

from engram.errors import InvalidInput
from engram.model.limits import BATCH_BYTES_MAX

LINE_BYTES_MAX: Final = BATCH_BYTES_MAX
"""Largest line of a body of NDJSON: an observation with the longest text, metadata and vector fits."""


async def numbered_lines(
    parts: AsyncIterator[bytes], hold: Callable[[int, int], None]
) -> AsyncIterator[tuple[int, bytes | InvalidInput]]:
    """Yield number and content of each line that is not blank; a line that is too long is passed over as an error.

    Parameters
    ----------
    parts
        The body.
    hold
        Is told, after each part, the number of the line that has begun and how many bytes of it are kept.
    """
    number = 1
    begun = bytearray()
    is_too_long = False
    async for part in parts:
        start = 0
        while (stop := part.find(b"\n", start)) >= 0:
            whole = bytes(begun) + part[start:stop] if begun else part[start:stop]
            is_too_long = is_too_long or len(whole) > LINE_BYTES_MAX
            if is_too_long or whole.strip():
                yield number, _too_long(number) if is_too_long else whole
            begun.clear()
            is_too_long = False
            number += 1
            start = stop + 1
        if not is_too_long:
            begun += memoryview(part)[start:]
        if len(begun) > LINE_BYTES_MAX:
            begun.clear()
            is_too_long = True
        hold(number, len(begun))
    if is_too_long or begun.strip():
        yield number, _too_long(number) if is_too_long else bytes(begun)


def _too_long(number: int) -> InvalidInput:
    return InvalidInput(
        f"line {number} is longer than {LINE_BYTES_MAX} bytes",
        code="line_bytes",
        field="line",
        limit=LINE_BYTES_MAX,
        value=number,
    )

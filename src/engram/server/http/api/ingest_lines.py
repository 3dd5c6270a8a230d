"""A body of NDJSON: a stream of observations, stored in batches as they arrive.

A line that is refused does not keep the others from being stored. The answer names it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from engram.errors import EngramError, InvalidInput, OverCapacity
from engram.model.ack import Ack
from engram.server.http.api.lines import numbered_lines
from engram.streaming.pressure.receiving import Arriving
from engram.wire.forms.failures import error_object

ERRORS_MAX: Final = 100
"""Lines that an answer names; the others are counted."""

_BATCH_LINES: Final = 256
_BATCH_BYTES: Final = 4 * 1024 * 1024
# The client is held back while there is no room, and told when that lasts.
_ATTEMPTS_MAX: Final = 30
_WAIT_MS_MAX: Final = 1000

Line = tuple[int, bytes]
Store = Callable[[list[bytes]], Awaitable[Ack]]


@dataclass(slots=True)
class LinesStored:
    """What became of the lines.

    Parameters
    ----------
    count
        Observations that were stored.
    first_generation, last_generation
        Their generations; 0 if there are none.
    rejected
        Lines that were refused.
    reasons
        How many of them, by the codes of their errors.
    errors
        The errors of the first of them.
    first_error
        The first error; None if there is none.
    """

    count: int = 0
    first_generation: int = 0
    last_generation: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    errors: list[dict[str, Any]] = field(default_factory=list)
    first_error: EngramError | None = None

    def add(self, ack: Ack) -> None:
        """Add what was stored."""
        self.count += ack.count
        self.first_generation = self.first_generation or ack.first_generation
        self.last_generation = ack.last_generation

    def refuse(self, line: int, error: EngramError) -> None:
        """Add a line that was refused."""
        self.rejected += 1
        self.reasons[error.code] += 1
        self.first_error = self.first_error or error
        if len(self.errors) < ERRORS_MAX:
            self.errors.append({"line": line, **error_object(error)})

    def shown(self) -> dict[str, Any]:
        """Return what the answer says."""
        return {
            "first_generation": self.first_generation,
            "last_generation": self.last_generation,
            "count": self.count,
            "rejected": self.rejected,
            "errors": self.errors,
        }


async def store_lines(parts: AsyncIterator[bytes], store: Store, arriving: Arriving) -> LinesStored:
    """Store the observations in a body of NDJSON.

    Parameters
    ----------
    parts
        The body.
    store
        Stores the observations of some lines, all of them or none.
    arriving
        Is told how much of the body is here.

    Raises
    ------
    EngramError
        If something other than a line is refused before anything was stored: the caller, the space, for want of room.
        Later, such an error is that of the line it came at, and the lines from there on are not taken.
    """
    stored = LinesStored()
    waiting: list[Line] = []
    nbytes = 0

    def hold(line: int, begun_bytes: int = 0) -> None:
        try:
            arriving.hold(nbytes + begun_bytes)
        except OverCapacity as error:
            raise _Stopped(waiting[0][0] if waiting else line, error) from error

    try:
        async for number, line in numbered_lines(parts, hold):
            if isinstance(line, InvalidInput):
                stored.refuse(number, line)
                continue
            waiting.append((number, line))
            nbytes += len(line)
            hold(number)
            if len(waiting) == _BATCH_LINES or nbytes > _BATCH_BYTES:
                taken, waiting, nbytes = waiting, [], 0
                await _store(taken, store, stored)
        if waiting:
            await _store(waiting, store, stored)
    except _Stopped as stopped:
        if not stored.count and not stored.rejected:
            raise stopped.error from None
        stored.refuse(stopped.line, stopped.error)
    finally:
        arriving.release()
    return stored


class _Stopped(Exception):
    """An error that would be that of all further lines, too."""

    def __init__(self, line: int, error: EngramError) -> None:
        super().__init__(error)
        self.line = line
        self.error = error


async def _store(lines: list[Line], store: Store, stored: LinesStored) -> None:
    """Store lines together; if one of them is refused, store the halves, until it is found."""
    try:
        stored.add(await _patiently(lines, store))
    except InvalidInput as error:
        if len(lines) == 1:
            stored.refuse(lines[0][0], error)
            return
        middle = len(lines) // 2
        await _store(lines[:middle], store, stored)
        await _store(lines[middle:], store, stored)


async def _patiently(lines: list[Line], store: Store) -> Ack:
    for attempt in range(_ATTEMPTS_MAX):
        try:
            return await store([line for _, line in lines])
        except InvalidInput:
            raise
        except EngramError as error:
            wait_ms = error.retry_after_ms
            if wait_ms is None or not error.is_transient or attempt == _ATTEMPTS_MAX - 1:
                raise _Stopped(lines[0][0], error) from error
        await asyncio.sleep(min(wait_ms, _WAIT_MS_MAX) / 1000)
    raise AssertionError("the last attempt returns or raises")

"""Observations that find no room in the send buffer."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import NamedTuple

from engram.errors import OverCapacity


class PendingAdd(NamedTuple):
    """Observations that may have to wait for room: call `try_add`, wait for `room`, and call `try_add` again.

    Parameters
    ----------
    try_add
        Adds the observations to the buffer; returns False if there is no room.
    room
        Returns a future that is done when it is worth calling `try_add` again.
    held
        Returns the number of observations in the buffer.
    """

    try_add: Callable[[], bool]
    room: Callable[[], concurrent.futures.Future[None]]
    held: Callable[[], int]

    def no_room(self, timeout_s: float) -> OverCapacity:
        """Return the error for a caller that has waited for room for `timeout_s` seconds."""
        return OverCapacity(
            f"{self.held()} observations are not answered, and there was no room for more within {timeout_s:g} s",
            code="buffer_full",
            field="timeout_s",
            limit=timeout_s,
            value=self.held(),
            retry_after_ms=1000,
        )

    async def add_when_room(self, timeout_s: float) -> None:
        """Add the observations as soon as there is room.

        Raises
        ------
        OverCapacity
            If there is none within `timeout_s` seconds.
        EngramError
            If the buffer is closed or has failed.
        """
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        while not self.try_add():
            try:
                async with asyncio.timeout_at(deadline_s):
                    await asyncio.wrap_future(self.room())
            except TimeoutError:
                raise self.no_room(timeout_s) from None

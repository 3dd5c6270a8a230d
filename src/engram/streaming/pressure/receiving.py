"""The memory for messages and bodies that have begun to arrive, over all connections of a server."""

from __future__ import annotations

import asyncio
from typing import Final

from engram.errors import OverCapacity

UNCOUNTED_BYTES: Final = 64 * 1024
"""Bytes that each connection may always have, so that small messages arrive however many large ones do not."""

# There is room again when the others have arrived, or their connections were found to be stuck.
_RETRY_AFTER_MS: Final = 1000
# Longer than others take to arrive, and shorter than a client waits for an answer.
_ROOM_TIMEOUT_S: Final = 10.0


class ReceiveBudget:
    """The bytes of all messages and bodies together that have begun to arrive. Used on the event loop's thread only.

    Parameters
    ----------
    bytes_max
        How many bytes there may be.

    Attributes
    ----------
    nbytes
        How many there are, beyond what is not counted of each connection.
    turn
        Held by whoever waits for room, so that a large message is not passed by smaller ones for ever.
    freed
        Set when there may be room again.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max: Final = bytes_max
        self.nbytes: int = 0
        self.turn: Final = asyncio.Lock()
        self.freed: Final = asyncio.Event()


class Arriving:
    """The part of one message or body that is here. Used on the event loop's thread only.

    Parameters
    ----------
    budget
        The budget of all.
    """

    def __init__(self, budget: ReceiveBudget) -> None:
        self._budget = budget
        self._counted = 0

    def hold(self, nbytes: int) -> None:
        """Note that `nbytes` bytes are here now.

        Raises
        ------
        OverCapacity
            If they are more than before and all together are too many; then those that were noted before stay noted.
        """
        counted, total = self._with(nbytes)
        if counted > self._counted and total > self._budget.bytes_max:
            raise self._no_room(total)
        if counted < self._counted:
            self._budget.freed.set()
        self._budget.nbytes, self._counted = total, counted

    async def reserve(self, nbytes: int) -> None:
        """Wait until there is room for `nbytes` bytes, and note that they are here, as they are going to be.

        Raises
        ------
        OverCapacity
            If there is no room within 10 seconds.
        """
        budget = self._budget
        try:
            async with asyncio.timeout(_ROOM_TIMEOUT_S), budget.turn:
                while self._with(nbytes)[1] > budget.bytes_max:
                    budget.freed.clear()
                    await budget.freed.wait()
                self.hold(nbytes)
        except TimeoutError:
            raise self._no_room(self._with(nbytes)[1]) from None

    def release(self) -> None:
        """Note that nothing is here any more: it is whole, or given up."""
        self.hold(0)

    def _with(self, nbytes: int) -> tuple[int, int]:
        """Return what counts of `nbytes` bytes of this one, and of all together if it has so many."""
        counted = max(0, nbytes - UNCOUNTED_BYTES)
        return counted, self._budget.nbytes + counted - self._counted

    def _no_room(self, total: int) -> OverCapacity:
        return OverCapacity(
            f"what has begun to arrive over all connections is limited to {self._budget.bytes_max} bytes; "
            "try again when some of it is done",
            code="unfinished_bytes",
            field="unfinished_bytes_of_all",
            limit=self._budget.bytes_max,
            value=total,
            retry_after_ms=_RETRY_AFTER_MS,
        )

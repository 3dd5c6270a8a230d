"""What a follower is told, and where from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class OfGeneration(Protocol):
    """What came about at a generation: a `Hit`, or a `Change`."""

    @property
    def generation(self) -> int:
        """The generation."""
        ...


T_co = TypeVar("T_co", bound=OfGeneration, covariant=True)


@dataclass(frozen=True, slots=True)
class Told(Generic[T_co]):
    """What a follower is told at once.

    Parameters
    ----------
    items
        Hits or changes; perhaps none.
    generation
        Generation up to which everything has been told with these; 0 if that is not known.
    in_order
        Whether the items are in the order of generations, so that everything up to each of them has been told with it.
    incomplete
        Whether something damaged was left out, now or before.
    """

    items: Sequence[T_co]
    generation: int
    in_order: bool = True
    incomplete: bool = False


class ToldSource(Protocol[T_co]):
    """Where a follower that waits is told from."""

    def check(self) -> None:
        """Raise an error if nobody can wait here, as in a forked child, before a lock is taken.

        Raises
        ------
        FailedPrecondition
            Why not.
        """
        ...

    def take(self) -> Told[T_co] | None:
        """Wait for what is next, and return it; None once there is nothing more.

        Raises
        ------
        EngramError
            Why it cannot go on.
        """
        ...

    def close(self) -> None:
        """End it. Whoever waits in `take` gets None."""
        ...


class AwaitedSource(Generic[T_co]):
    """Where a follower of coroutines is told from; any of them may end it.

    Parameters
    ----------
    batches
        Yields what is told.
    """

    def __init__(self, batches: AsyncGenerator[Told[T_co], None]) -> None:
        self._batches = batches
        self._reading: asyncio.Task[Told[T_co] | None] | None = None
        self._is_closed = False

    async def take(self) -> Told[T_co] | None:
        """Wait for what is next, and return it; None once there is nothing more. One coroutine at a time may do so.

        Raises
        ------
        EngramError
            Why it cannot go on.
        """
        if self._is_closed:
            return None
        # A task, which `close` can end: a generator cannot be closed while it runs.
        self._reading = asyncio.ensure_future(self._next())
        try:
            return await self._reading
        except asyncio.CancelledError:
            waiting = asyncio.current_task()
            if self._is_closed and (waiting is None or not waiting.cancelling()):
                return None
            raise

    async def close(self) -> None:
        """End it. Whoever waits in `take` gets None."""
        self._is_closed = True
        if self._reading is not None and not self._reading.done():
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._batches.aclose()

    async def _next(self) -> Told[T_co] | None:
        return await anext(self._batches, None)

"""What a follower is told, one item after the other: iterators that know how far everything has been told."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Final, Self

from engram.errors import EngramError
from engram.model.following.told import AwaitedSource, OfGeneration, T_co, Told, ToldSource


class Following(Iterator[T_co]):
    """An iterator over what a follower is told, which waits for what comes; made by ``follow`` and ``changes``.

    It ends when its time is over, when it is closed, or when the store is closed. An error ends it, too, and is raised
    again if more is asked for. Threads that iterate at the same time are returned one item each, in turns. Any thread
    may close it, which ends a wait.

    Parameters
    ----------
    source
        Where it is told from.
    generation
        Generation after which it begins.

    Attributes
    ----------
    source
        The same.
    """

    def __init__(self, source: ToldSource[T_co], generation: int = 0) -> None:
        self.source: Final = source
        self._place = _Place(generation)
        self._items: Iterator[T_co] = iter(())
        self._failure: EngramError | None = None
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        return f"Following(generation={self.generation})"

    @property
    def generation(self) -> int:
        """Generation up to which everything has been returned, to go on after it; it rises also where nothing passes.

        0 before that is known.
        """
        return self._place.generation

    @property
    def incomplete(self) -> bool:
        """Whether something damaged was left out so far."""
        return self._place.incomplete

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        self.source.check()
        with self._turn:
            while True:
                for item in self._items:
                    self._place.pass_item(item)
                    return item
                self._place.pass_all()
                told = self._taken()
                if told is None:
                    raise StopIteration
                self._items = iter(told.items)
                self._place.begin(told)

    def close(self) -> None:
        """End the iteration."""
        self._items = iter(())
        self._place.leave()
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _taken(self) -> Told[T_co] | None:
        if self._failure is not None:
            raise copy.copy(self._failure)
        try:
            return self.source.take()
        except EngramError as error:
            self._failure = error
            self.source.close()
            raise


class AsyncFollowing(AsyncIterator[T_co]):
    """A `Following` for coroutines. Any of them may close it, which ends a wait. A wait that is cancelled ends it.

    Parameters
    ----------
    source
        Where it is told from.
    generation
        As for `Following`.

    Attributes
    ----------
    source
        The same.
    """

    def __init__(self, source: AwaitedSource[T_co], generation: int = 0) -> None:
        self.source: Final = source
        self._place = _Place(generation)
        self._items: Iterator[T_co] = iter(())
        self._failure: EngramError | None = None
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"AsyncFollowing(generation={self.generation})"

    @property
    def generation(self) -> int:
        """Generation up to which everything has been returned; see `Following.generation`."""
        return self._place.generation

    @property
    def incomplete(self) -> bool:
        """Whether something damaged was left out so far."""
        return self._place.incomplete

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        async with self._turn:
            while True:
                for item in self._items:
                    self._place.pass_item(item)
                    return item
                self._place.pass_all()
                told = await self._taken()
                if told is None:
                    raise StopAsyncIteration
                self._items = iter(told.items)
                self._place.begin(told)

    async def aclose(self) -> None:
        """End the iteration."""
        self._items = iter(())
        self._place.leave()
        await self.source.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _taken(self) -> Told[T_co] | None:
        if self._failure is not None:
            raise copy.copy(self._failure)
        try:
            return await self.source.take()
        except EngramError as error:
            # The source has ended with it, and would only say that there is nothing more.
            self._failure = error
            raise


class _Place:
    """How far a follower has been told everything."""

    __slots__ = ("_behind", "_in_order", "generation", "incomplete")

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.incomplete = False
        self._behind = generation
        self._in_order = True

    def begin(self, told: Told[OfGeneration]) -> None:
        """Note what is returned next."""
        self._behind, self._in_order = told.generation, told.in_order
        self.incomplete |= told.incomplete

    def pass_item(self, item: OfGeneration) -> None:
        """Note that an item of it is returned."""
        if self._in_order:
            self.generation = item.generation

    def pass_all(self) -> None:
        """Note that all of it has been returned."""
        self.generation = max(self.generation, self._behind)

    def leave(self) -> None:
        """Note that what is left of it is not returned any more."""
        self._behind = self.generation

"""Scans as their callers see them: iterators over hits, which read one page after the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Final, Self

from engram.model.hit import Hit
from engram.model.operations.scans import ReadPage
from engram.model.scans.page import ScanPage


class Scan(Iterator[Hit]):
    """An iterator over everything that passes a filter, from one snapshot; made by ``scan`` of a space.

    The first page is read when the first hit is asked for, and what is alive then is what the scan returns, whatever is
    written meanwhile. It can be iterated over once. If a page cannot be read, the scan raises the error, and reads that
    page when it is asked again: it ends only where there is no more.

    Parameters
    ----------
    read
        Reads one page.
    request
        The request for the first page.

    Attributes
    ----------
    first
        The request for the first page.
    """

    def __init__(self, read: Callable[[ReadPage], ScanPage], request: ReadPage) -> None:
        self.read: Final = read
        self.first: Final = request
        # Nothing refers back to the scan, so that what it holds is let go as soon as it is dropped.
        self._pages = _Pages(read, request)
        self._hits: Iterator[Hit] = iter(())

    @property
    def generation(self) -> int | None:
        """Generation of the snapshot; None before the first page is read."""
        return self._pages.generation

    def __repr__(self) -> str:
        return f"Scan(generation={self.generation})"

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Hit:
        # No generator: an error would end it as if there were no more. No call of next(): this is faster.
        for waiting in self._hits:
            return waiting
        with self._pages.turn:
            while (hit := next(self._hits, None)) is None:
                self._hits = iter(self._pages.read_next())
        return hit

    def pages(self) -> Iterator[ScanPage]:
        """Return an iterator over the pages that were not read yet.

        Each has a ``cursor``, by which a later scan goes on behind it.
        """
        return self._pages


class AsyncScan(AsyncIterator[Hit]):
    """A `Scan` for coroutines.

    Parameters
    ----------
    read, request
        As for `Scan`.

    Attributes
    ----------
    first
        The request for the first page.
    """

    def __init__(self, read: Callable[[ReadPage], Awaitable[ScanPage]], request: ReadPage) -> None:
        self.read: Final = read
        self.first: Final = request
        self._pages = _AsyncPages(read, request)
        self._hits: Iterator[Hit] = iter(())

    @property
    def generation(self) -> int | None:
        """Generation of the snapshot; None before the first page is read."""
        return self._pages.generation

    def __repr__(self) -> str:
        return f"AsyncScan(generation={self.generation})"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Hit:
        for waiting in self._hits:
            return waiting
        async with self._pages.turn:
            while (hit := next(self._hits, None)) is None:
                self._hits = iter(await self._pages.read_next())
        return hit

    def pages(self) -> AsyncIterator[ScanPage]:
        """Return an iterator over the pages that were not read yet.

        Each has a ``cursor``, by which a later scan goes on behind it.
        """
        return self._pages


class _Pages(Iterator[ScanPage]):
    """The pages of a scan, of which one is read at a time; a page that could not be read is read again."""

    __slots__ = ("_read", "_request", "generation", "turn")

    def __init__(self, read: Callable[[ReadPage], ScanPage], request: ReadPage) -> None:
        self.generation: int | None = request.max_generation
        self.turn: Final = threading.Lock()
        self._read = read
        self._request: ReadPage | None = request

    def __next__(self) -> ScanPage:
        with self.turn:
            return self.read_next()

    def read_next(self) -> ScanPage:
        """Return the next page, for whoever holds `turn`; raise StopIteration behind the last one."""
        if self._request is None:
            raise StopIteration
        page = self._read(self._request)
        self.generation = page.generation
        self._request = _next_request(self._request, page)
        return page


class _AsyncPages(AsyncIterator[ScanPage]):
    """`_Pages` for coroutines."""

    __slots__ = ("_read", "_request", "generation", "turn")

    def __init__(self, read: Callable[[ReadPage], Awaitable[ScanPage]], request: ReadPage) -> None:
        self.generation: int | None = request.max_generation
        self.turn: Final = asyncio.Lock()
        self._read = read
        self._request: ReadPage | None = request

    async def __anext__(self) -> ScanPage:
        async with self.turn:
            return await self.read_next()

    async def read_next(self) -> ScanPage:
        """Return the next page, for whoever holds `turn`; raise StopAsyncIteration behind the last one."""
        if self._request is None:
            raise StopAsyncIteration
        page = await self._read(self._request)
        self.generation = page.generation
        self._request = _next_request(self._request, page)
        return page


def _next_request(request: ReadPage, page: ScanPage) -> ReadPage | None:
    return replace(request, cursor=page.cursor) if page.cursor else None

"""Scans as their callers see them: iterators over hits, which read one page after the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import replace
from typing import Final, Self

from engram.model.hit import Hit
from engram.model.operations.scans import ReadPage
from engram.model.scans.page import ScanPage


class Scan(Iterator[Hit]):
    """An iterator over everything that passes a filter, from one snapshot; made by ``scan`` of a space.

    The first page is read when the first hit is asked for, and what is alive then is what the scan returns, whatever is
    written meanwhile. It can be iterated over once.

    Parameters
    ----------
    read
        Reads one page.
    request
        The request for the first page.

    Attributes
    ----------
    generation
        Generation of the snapshot; None before the first page is read.
    first
        The request for the first page.
    """

    def __init__(self, read: Callable[[ReadPage], ScanPage], request: ReadPage) -> None:
        self.generation: int | None = request.max_generation
        self.read: Final = read
        self.first: Final = request
        self._request: ReadPage | None = request
        self._rows = self._hits()

    def __repr__(self) -> str:
        return f"Scan(generation={self.generation})"

    def __iter__(self) -> Iterator[Hit]:
        # A generator is faster than this class, and goes on where this is.
        return self._rows

    def __next__(self) -> Hit:
        return next(self._rows)

    def pages(self) -> Iterator[ScanPage]:
        """Yield the pages that were not read yet. Each has a ``cursor``, by which a later scan goes on behind it."""
        while self._request is not None:
            page = self.read(self._request)
            self.generation = page.generation
            self._request = _next_request(self._request, page)
            yield page

    def _hits(self) -> Generator[Hit, None, None]:
        for page in self.pages():
            yield from page


class AsyncScan(AsyncIterator[Hit]):
    """A `Scan` for coroutines.

    Parameters
    ----------
    read, request
        As for `Scan`.

    Attributes
    ----------
    generation
        Generation of the snapshot; None before the first page is read.
    first
        The request for the first page.
    """

    def __init__(self, read: Callable[[ReadPage], Awaitable[ScanPage]], request: ReadPage) -> None:
        self.generation: int | None = request.max_generation
        self.read: Final = read
        self.first: Final = request
        self._request: ReadPage | None = request
        self._rows = self._hits()

    def __repr__(self) -> str:
        return f"AsyncScan(generation={self.generation})"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Hit:
        return await anext(self._rows)

    async def pages(self) -> AsyncGenerator[ScanPage, None]:
        """Yield the pages that were not read yet. Each has a ``cursor``, by which a later scan goes on behind it."""
        while self._request is not None:
            page = await self.read(self._request)
            self.generation = page.generation
            self._request = _next_request(self._request, page)
            yield page

    async def _hits(self) -> AsyncGenerator[Hit, None]:
        async for page in self.pages():
            for hit in page:
                yield hit


def _next_request(request: ReadPage, page: ScanPage) -> ReadPage | None:
    return replace(request, cursor=page.cursor) if page.cursor else None

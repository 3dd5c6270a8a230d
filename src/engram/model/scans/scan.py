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
    first
        The request for the first page.
    """

    def __init__(self, read: Callable[[ReadPage], ScanPage], request: ReadPage) -> None:
        self.read: Final = read
        self.first: Final = request
        # Nothing refers back to the scan, so that what it holds is let go as soon as it is dropped.
        self._progress = _Progress(request)
        self._rows = _hits(read, self._progress)

    @property
    def generation(self) -> int | None:
        """Generation of the snapshot; None before the first page is read."""
        return self._progress.generation

    def __repr__(self) -> str:
        return f"Scan(generation={self.generation})"

    def __iter__(self) -> Iterator[Hit]:
        # A generator is faster than this class, and goes on where this is.
        return self._rows

    def __next__(self) -> Hit:
        return next(self._rows)

    def pages(self) -> Iterator[ScanPage]:
        """Yield the pages that were not read yet. Each has a ``cursor``, by which a later scan goes on behind it."""
        return _pages(self.read, self._progress)


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
        # Nothing refers back to the scan, so that what it holds is let go as soon as it is dropped.
        self._progress = _Progress(request)
        self._rows = _hits_async(read, self._progress)

    @property
    def generation(self) -> int | None:
        """Generation of the snapshot; None before the first page is read."""
        return self._progress.generation

    def __repr__(self) -> str:
        return f"AsyncScan(generation={self.generation})"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Hit:
        return await anext(self._rows)

    def pages(self) -> AsyncGenerator[ScanPage, None]:
        """Yield the pages that were not read yet. Each has a ``cursor``, by which a later scan goes on behind it."""
        return _pages_async(self.read, self._progress)


class _Progress:
    """How far a scan is: the request for the next page, None behind the last one, and the generation of the scan."""

    __slots__ = ("generation", "request")

    def __init__(self, request: ReadPage) -> None:
        self.generation: int | None = request.max_generation
        self.request: ReadPage | None = request

    def behind(self, request: ReadPage, page: ScanPage) -> ScanPage:
        """Note that `page` answered `request`, and return it."""
        self.generation = page.generation
        self.request = replace(request, cursor=page.cursor) if page.cursor else None
        return page


def _pages(read: Callable[[ReadPage], ScanPage], progress: _Progress) -> Iterator[ScanPage]:
    while (request := progress.request) is not None:
        yield progress.behind(request, read(request))


def _hits(read: Callable[[ReadPage], ScanPage], progress: _Progress) -> Generator[Hit, None, None]:
    for page in _pages(read, progress):
        yield from page


async def _pages_async(
    read: Callable[[ReadPage], Awaitable[ScanPage]], progress: _Progress
) -> AsyncGenerator[ScanPage, None]:
    while (request := progress.request) is not None:
        yield progress.behind(request, await read(request))


async def _hits_async(
    read: Callable[[ReadPage], Awaitable[ScanPage]], progress: _Progress
) -> AsyncGenerator[Hit, None]:
    async for page in _pages_async(read, progress):
        for hit in page:
            yield hit

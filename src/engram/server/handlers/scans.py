"""``scan`` and ``facets``: everything that passes a filter, page by page, and the values that there are."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from engram.errors import InvalidInput
from engram.model.operations.results import RESULTS_BYTES
from engram.model.operations.scans import CountFacets, ReadPage
from engram.model.scans.facets import Facets
from engram.model.scans.page import ScanPage
from engram.server.engine import Engine
from engram.store.space_engine import SpaceEngine

T = TypeVar("T")


async def scan(engine: Engine, request: ReadPage, encode: Callable[[ScanPage], T]) -> T:
    """Return one page of a scan. It is read and encoded on a recall thread."""
    space = engine.space(request.space)
    return await engine.recalls.in_turns(_page(space, request, encode))


async def facets(engine: Engine, request: CountFacets, encode: Callable[[Facets], T]) -> T:
    """Return the facets of what passes a filter. They are counted on a recall thread."""
    space = engine.space(request.space)
    return await engine.recalls.in_turns(_facets(space, request, encode))


def _page(space: SpaceEngine, request: ReadPage, encode: Callable[[ScanPage], T]) -> Generator[None, None, T]:
    """Read the page that is asked for, or a part of it, if all is too large for one message."""
    # The lease goes on for a while behind the page.
    held = space.leased(request)
    page = space.page(request, held.generation)
    while True:
        yield
        try:
            return encode(page)
        except InvalidInput as error:
            if error.code != RESULTS_BYTES or len(page) < 2:
                raise
        page = space.cut(request, page)


def _facets(space: SpaceEngine, request: CountFacets, encode: Callable[[Facets], T]) -> Generator[None, None, T]:
    held = space.snapshot(request.max_generation)
    return encode((yield from space.facets(request, held.generation)))

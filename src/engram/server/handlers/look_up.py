"""``get``, ``count`` and ``snapshot``: observations by their ids, their number, and the generation of a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, TypeVar

from engram.model.hit import Hits
from engram.model.operations.requests import Count, Get, TakeSnapshot
from engram.model.operations.results import Counted, SnapshotTaken
from engram.server.engine import Engine
from engram.store.space_engine import SpaceEngine

T = TypeVar("T")
# To look up an id as of an old generation may take a millisecond; a turn costs about as much as ten new ids.
_IDS_PER_TURN: Final = 64


async def get(engine: Engine, request: Get, encode: Callable[[Hits], T]) -> T:
    """Return the observations with these ids, as far as they exist. They are encoded on a recall thread."""
    space = engine.space(request.space)
    return await engine.recalls.in_turns(look_up(space, request, encode))


async def count(engine: Engine, request: Count, encode: Callable[[Counted], T]) -> T:
    """Return how many observations pass a filter. They are counted on a recall thread."""
    space = engine.space(request.space)
    return await engine.recalls.in_turns(_counting(space, request, encode))


async def snapshot(engine: Engine, request: TakeSnapshot, encode: Callable[[SnapshotTaken], T]) -> T:
    """Return the generation that is the newest now, or was at a time."""
    found = engine.space(request.space).snapshot(request.max_generation, request.snapshot_us)
    return encode(SnapshotTaken(found.generation))


def _counting(space: SpaceEngine, request: Count, encode: Callable[[Counted], T]) -> Generator[None, None, T]:
    yield from ()
    return encode(space.count(request.filter, request.max_generation))


def look_up(space: SpaceEngine, request: Get, encode: Callable[[Hits], T]) -> Generator[None, None, T]:
    """Look up the ids of `request` in `space`, as far as they exist; yield where others may have their turn."""
    # All are looked up at one generation, which is retained until then, also while others write.
    snapshot = space.present(request.max_generation)
    found = Hits(generation=snapshot.generation)
    for start in range(0, len(request.ids), _IDS_PER_TURN):
        if start:
            yield
        hits = (snapshot.get(id) for id in request.ids[start : start + _IDS_PER_TURN])
        found.extend(hit for hit in hits if hit is not None)
    return encode(found)

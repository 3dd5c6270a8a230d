"""``get`` and ``snapshot``: observations by their ids, and the generation of a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engram.model.hit import Hits
from engram.model.operations.requests import Get, TakeSnapshot
from engram.model.operations.results import SnapshotTaken
from engram.server.engine import Engine
from engram.store.space_engine import SpaceEngine

T = TypeVar("T")


async def get(engine: Engine, request: Get, encode: Callable[[Hits], T]) -> T:
    """Return the observations with these ids, as far as they exist. They are encoded on a recall thread."""
    space = engine.space(request.space)
    return await engine.in_thread(lambda: encode(look_up(space, request)))


async def snapshot(engine: Engine, request: TakeSnapshot, encode: Callable[[SnapshotTaken], T]) -> T:
    """Return the generation that is the newest now, or was at a time."""
    found = engine.space(request.space).snapshot(request.max_generation, request.snapshot_us)
    return encode(SnapshotTaken(found.generation))


def look_up(space: SpaceEngine, request: Get) -> Hits:
    """Return the observations with the ids of `request` in `space`, as far as they exist."""
    # All are looked up at one generation, which is retained until then, also while others write.
    snapshot = space.snapshot(request.max_generation)
    hits = (snapshot.get(id) for id in request.ids)
    return Hits((hit for hit in hits if hit is not None), snapshot.generation)

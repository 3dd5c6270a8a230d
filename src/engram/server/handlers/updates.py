"""``update``: observations are read, changed and stored again, unless others were quicker; then once more."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from engram.errors import EngramError
from engram.model.ack import Ack
from engram.model.operations.updates import Update
from engram.server.engine import Engine
from engram.store.commit.queue import CommitResult
from engram.store.space_engine import SpaceEngine
from engram.store.updates.updating import UPDATE_ATTEMPTS_MAX, UpdatedBatch, contended, is_overtaken, updated_batch

T = TypeVar("T")


async def update(engine: Engine, request: Update, encode: Callable[[Ack], T]) -> T:
    """Change fields of observations. They are read on a recall thread, and written as any observations are."""
    space = engine.space(request.space)
    # Versions of an engine that came to rest meanwhile would never be those of the space again.
    held = space if space.occupancy.hold() else await engine.in_thread(space.held)
    try:
        result = await _updated(engine, held, request)
    finally:
        held.let_go()
    engine.counters.observations.accept(request.space, request.priority, result.count)
    return encode(result.ack)


async def _updated(engine: Engine, space: SpaceEngine, request: Update) -> CommitResult:
    for _ in range(UPDATE_ATTEMPTS_MAX):
        try:
            updated = await engine.recalls.in_turns(_reading(space, request))
            return await engine.ingest.observe(space, updated.batch, request.priority, updated.versions)
        except EngramError as error:
            if not is_overtaken(error):
                raise
    raise contended(request.changes)


def _reading(space: SpaceEngine, request: Update) -> Generator[None, None, UpdatedBatch]:
    yield from ()
    return updated_batch(space, request.changes, merge=request.merge)

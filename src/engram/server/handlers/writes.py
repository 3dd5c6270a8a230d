"""``observe`` and ``delete``: observations and deletions outside of any session, answered once they are durable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engram.model.ack import Ack, Deletion
from engram.model.operations.requests import Delete, Observe
from engram.server.engine import Engine

T = TypeVar("T")


async def observe(engine: Engine, request: Observe, encode: Callable[[Ack], T]) -> T:
    """Store one observation or a batch of observations."""
    space = engine.space(request.space)
    result = await engine.ingest.observe(space, request.batch, request.priority)
    engine.counters.observations.accept(request.space, request.priority, result.count)
    return encode(result.ack)


async def delete(engine: Engine, request: Delete, encode: Callable[[Deletion], T]) -> T:
    """Delete observations by id. Ids that do not exist are no error."""
    space = engine.space(request.space)
    result = await engine.ingest.delete(space, request.ids)
    return encode(Deletion(result.existed, result.last_generation or space.generation))

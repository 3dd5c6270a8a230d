"""``observe``, ``delete``, ``clear`` and ``erase``: outside of any session, and answered once they are durable."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Final, TypeVar

from engram.errors import EngramError
from engram.model.ack import Ack, Deletion
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import NO_FILTER, Filter
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.operations.requests import Delete, Erase, Observe
from engram.model.operations.scans import Clear
from engram.server.engine import Engine
from engram.store.commit.queue import CommitResult
from engram.store.scans.deleting import DeletionPart, count_passing, deletion_parts
from engram.store.space_collection import existing
from engram.store.space_engine import SpaceEngine

T = TypeVar("T")

DELETE_S_MAX: Final = 2.0
"""Seconds after which a deletion by filter answers that there is more, so that a call ends before clients give up."""


async def observe(engine: Engine, request: Observe, encode: Callable[[Ack], T]) -> T:
    """Store one observation or a batch of observations, if its conditions hold."""
    space = engine.space(request.space)
    result = await engine.ingest.observe(space, request.batch, request.priority, request.expected_generations)
    engine.counters.observations.accept(request.space, request.priority, result.count)
    return encode(result.ack)


async def delete(engine: Engine, request: Delete, encode: Callable[[Deletion], T]) -> T:
    """Delete observations by id, or those that pass a filter. Ids that do not exist are no error."""
    space = engine.space(request.space)
    if request.filter is not None:
        return encode(await _delete_passing(engine, space, request.filter, request.max_generation, request.dry_run))
    ids = request.ids or ()
    if request.dry_run:
        return encode(await engine.recalls.in_turns(_one_turn(lambda: existing(space, ids))))
    result = await engine.ingest.delete(space, ids)
    return encode(Deletion(result.existed, result.last_generation or space.generation))


async def clear(engine: Engine, request: Clear, encode: Callable[[Deletion], T]) -> T:
    """Delete all observations of a space."""
    space = engine.space(request.space)
    return encode(await _delete_passing(engine, space, NO_FILTER, request.max_generation))


async def erase(engine: Engine, request: Erase, encode: Callable[[ErasureReceipt], T]) -> T:
    """Remove all that was ever written under some ids from the files of a space, however long that takes."""
    space = engine.space(request.space)
    ids = list(request.ids)
    space.check_erasable()
    # As any deletion, through the lanes.
    deleted = await engine.ingest.delete(space, ids)
    return encode(await engine.alone(lambda: _erased(space, ids, deleted)))


async def _delete_passing(
    engine: Engine, space: SpaceEngine, filter: Filter | Condition, max_generation: int | None, dry_run: bool = False
) -> Deletion:
    # The call that goes on finds the generation leased.
    held = space.lease(max_generation)
    if dry_run:
        return await engine.recalls.in_turns(_one_turn(lambda: count_passing(space, filter, held.generation)))
    parts = deletion_parts(space, filter, held.generation)
    end_s = time.monotonic() + DELETE_S_MAX
    existed, last, more = 0, 0, False
    try:
        while not more and (part := await engine.recalls.in_turns(_next_part(parts))) is not None:
            result = await engine.ingest.delete(space, part.ids, part.versions)
            existed += result.existed
            last = result.last_generation or last
            # Each call deletes something, so that they come to an end where ids are damaged.
            more = part.more and bool(existed) and time.monotonic() > end_s
    except EngramError as error:
        # Whoever named no generation does not know this one. To be told of the error instead, they could only begin
        # anew, as of a later one, and delete what has been written since.
        if not error.is_transient or (max_generation is not None and not existed):
            raise
        more = True
    return Deletion(existed, last or space.generation, held.generation, more)


def _erased(space: SpaceEngine, ids: Sequence[str], deleted: CommitResult) -> ErasureReceipt:
    with space.kept_open() as opened:
        return opened.erase_deleted(ids, deleted)


def _next_part(parts: Iterator[DeletionPart]) -> Generator[None, None, DeletionPart | None]:
    return _one_turn(lambda: next(parts, None))


def _one_turn(work: Callable[[], T]) -> Generator[None, None, T]:
    """Return work that gives nobody a turn in between."""
    return work()
    yield

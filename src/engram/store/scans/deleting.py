"""Deletion of what passes a filter: in parts, each durable when it is answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from engram.errors import CorruptData
from engram.model.ack import Deletion
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter
from engram.model.limits import BATCH_COUNT_MAX
from engram.store.scans.runs import readable_ids

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine


class DeletionPart(NamedTuple):
    """Observations that are deleted together.

    Parameters
    ----------
    ids
        The ids.
    versions
        The generation of each, which is deleted only if it is still the live version of its id.
    more
        Whether a part follows.
    """

    ids: list[str]
    versions: list[int]
    more: bool


def deletion_parts(space: SpaceEngine, filter: Filter | Condition, generation: int) -> Iterator[DeletionPart]:
    """Yield the parts of the deletion of what passed `filter` at `generation`, which is held, and is still alive.

    Raises
    ------
    CorruptData
        At the end, if there are ids that cannot be read.
    Unavailable
        With code ``erased``, if something of it is erased meanwhile.
    """
    rows = space.passing_alive(filter, generation)
    damage: CorruptData | None = None
    for start in range(0, len(rows), BATCH_COUNT_MAX):
        part = rows[start : start + BATCH_COUNT_MAX]
        more = start + len(part) < len(rows)
        with space.log.as_of(generation):
            found = readable_ids(space.log, part)
        # It keeps nothing else from being deleted.
        damage = damage or found.damage
        if found.ids:
            yield DeletionPart(found.ids, found.generations.tolist(), more)
    if damage is not None:
        raise damage


def count_passing(space: SpaceEngine, filter: Filter | Condition, generation: int) -> Deletion:
    """Return what a deletion by `filter` as of `generation` would answer, without deleting anything."""
    return Deletion(len(space.passing_alive(filter, generation)), generation, generation)


def delete_passing(
    space: SpaceEngine, filter: Filter | Condition, max_generation: int | None, dry_run: bool = False
) -> Deletion:
    """Delete durably what passes `filter` as of `max_generation` (None: now); what was written later stays.

    Parameters
    ----------
    dry_run
        Whether to delete nothing, and only count.

    Raises
    ------
    InvalidInput, FailedPrecondition
        If the generation is yet to come, or no longer retained.
    OverCapacity, Unavailable
        If it could not be finished. What was deleted until then stays deleted.
    CorruptData
        If there are ids that cannot be read. Everything else is deleted.
    """
    held = space.lease(max_generation)
    if dry_run:
        return count_passing(space, filter, held.generation)
    existed, last = 0, 0
    for part in deletion_parts(space, filter, held.generation):
        result = space.delete(part.ids, part.versions)
        existed += result.existed
        last = result.last_generation or last
    return Deletion(existed, last or space.generation, held.generation)

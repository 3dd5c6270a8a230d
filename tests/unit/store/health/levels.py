"""What a space and its store tell of their health, and the options that make them write often."""

from __future__ import annotations

from engram.metrics import table
from engram.store import MemoryStore, Space, StoreOptions

SMALL_SEGMENTS = StoreOptions(segment_bytes=1 << 16, mark_interval_s=3600)


def names(space: Space) -> list[str]:
    return [problem.name for problem in space.stats().problems]


def levels(store: MemoryStore, space: Space) -> tuple[str, str]:
    """The health of the space, and of the store, which is the same in all ways to ask."""
    found = space.stats()
    own = {problem for problem in store.problems() if problem.space == space.name}
    assert set(found.problems) == own
    number = ("ok", "degraded", "failed").index(found.health)
    assert store.metrics().value(table.HEALTH, memory_space=space.name) == number
    return found.health, store.health

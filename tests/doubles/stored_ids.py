"""Observations of a space by nothing but their ids: storing them, and asking which are live."""

from __future__ import annotations

from engram.store import Space
from tests.doubles.batches import batch_of, vector_of


def observe(space: Space, *ids: str, version: int = 0) -> int:
    """Store a version of each, with the vectors and contents that ids have in tests, and return the last generation."""
    return space.observe(ids, batch_of(ids, version).vectors, batch_of(ids, version).contents)


def live_ids(space: Space) -> list[str]:
    """What a recall of everything finds, sorted, up to a thousand."""
    return sorted(hit.id for hit in space.recall(vector_of("any"), k=1000))

"""The status of a space that rests, of which nothing is opened."""

from __future__ import annotations

from engram.model.operations.status import SpaceStatus
from engram.store.resting.left_behind import LeftBehind
from engram.store.resting.space_summaries import SpaceSummary


def status_at_rest(summary: SpaceSummary, left: LeftBehind) -> SpaceStatus:
    """Return the status of a space as it was when it was last closed, with the problems that it has nevertheless."""
    name, generation = summary.config.name, summary.generation
    return SpaceStatus(
        summary.config,
        generation,
        generation,
        generation,
        summary.live_count,
        summary.log_bytes,
        index_bytes=0,
        damaged_count=left.damaged_count_of(name),
        problems=left.problems_of(name),
    )

"""Numbers about a space."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpaceStatistics:
    """A space at one moment.

    Parameters
    ----------
    durable_generation, visible_generation, indexed_generation
        The watermarks: everything up to there is on disk, recallable, linked into the graph.
    tail_count
        Generations that are visible but not indexed yet.
    live_count
        Observations that are neither deleted nor superseded.
    log_bytes, index_bytes
        Size of the log, and memory of the index and of what recalls filter by.
    session_count
        Sessions with a durable sequence number.
    checkpoint_generation
        What the newest checkpoint of the graph covers.
    checkpoints
        How many were written since the store was opened.
    commits, observed, deleted, duplicates
        Group commits, and what they did, since the store was opened.
    damaged_count
        Places in what is stored that were found damaged since the store was opened.
    """

    durable_generation: int
    visible_generation: int
    indexed_generation: int
    tail_count: int
    live_count: int
    log_bytes: int
    index_bytes: int
    session_count: int
    checkpoint_generation: int
    checkpoints: int
    commits: int
    observed: int
    deleted: int
    duplicates: int
    damaged_count: int = 0

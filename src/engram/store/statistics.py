"""Statistics of a space."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpaceStatistics:
    """The statistics of a space at one moment.

    Parameters
    ----------
    durable_generation, visible_generation, indexed_generation
        The watermarks: everything up to them is on disk, recallable, and linked into the graph, respectively.
    tail_count
        Number of generations that are visible but not indexed yet.
    live_count
        Number of observations that are neither deleted nor superseded.
    log_bytes, index_bytes
        Size of the log, and memory of the index and the metadata index, in bytes.
    session_count
        Number of sessions with a durable sequence number.
    checkpoint_generation
        Generation that the newest checkpoint of the graph covers.
    checkpoints
        Number of checkpoints written since the store was opened.
    commits, observed, deleted, duplicates
        Number of group commits since the store was opened, and of the observations stored, ids deleted and duplicate
        observations answered in them.
    damaged_count
        Number of damaged places found in what is stored since the store was opened.
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

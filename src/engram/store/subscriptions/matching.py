"""Exact matching of new observations against a cue, in the order of generations."""

from __future__ import annotations

import numpy as np

from engram.model.spaces import Metric
from engram.store.filters.selection import select
from engram.store.recall.exact import score_readable
from engram.store.recall.ranked import Ranked
from engram.store.recall.search import PreparedCue
from engram.store.space_state import SpaceState


def match(
    state: SpaceState,
    metric: Metric,
    prepared: PreparedCue,
    first: int,
    last: int,
    damaged: list[int],
    alive_at: int | None = None,
) -> Ranked:
    """Return the observations with generations from `first` to `last` that match the cue, in the order of generations.

    A cue without a vector gives every score as 1.

    Parameters
    ----------
    damaged
        Receives the generations that cannot be compared with the cue, because their vectors are damaged. They may match
        or not.
    alive_at
        As for `select`.
    """
    generations = select(state.attributes, prepared.cue.conditions, first, last, alive_at)
    if prepared.vector is None or not len(generations):
        return Ranked(generations, np.ones(len(generations), dtype=np.float32))
    found = score_readable(state.log, generations, prepared.vector, metric, damaged)
    return found.at_least(prepared.cue.score_min)

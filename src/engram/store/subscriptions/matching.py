"""Exact matching of new observations against a cue, in the order of generations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.model.spaces import Metric
from engram.store.filters.selection import select
from engram.store.recall.exact import score_readable
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
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the observations with generations from `first` to `last` that match the cue, and their scores.

    Parameters
    ----------
    damaged
        Receives the generations that cannot be compared with the cue, because their vectors are damaged. They may match
        or not.
    alive_at
        As for `select`.

    Returns
    -------
    tuple[NDArray[np.int64], NDArray[np.float32]]
        Generations, ascending, and scores, each of shape ``(n,)``. A cue without a vector gives every score as 1.
    """
    generations = select(state.attributes, prepared.cue.filter, first, last, alive_at)
    if prepared.vector is None or not len(generations):
        return generations, np.ones(len(generations), dtype=np.float32)
    generations, scores = score_readable(state.log, generations, prepared.vector, metric, damaged)
    if prepared.cue.score_min is None:
        return generations, scores
    similar = scores >= np.float32(prepared.cue.score_min)
    return generations[similar], scores[similar]

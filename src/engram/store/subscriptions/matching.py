"""Which new observations fit a cue: exactly scored, in the order of their generations."""

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
    wanted: PreparedCue,
    first: int,
    last: int,
    damaged: list[int],
    alive_at: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The observations from `first` to `last` that fit, and their scores; see `select` for `alive_at`.

    `damaged` gets the generations of those that cannot be compared with the cue; they may fit or not.
    """
    generations = select(state.attributes, wanted.cue.filter, first, last, alive_at)
    if wanted.vector is None or not len(generations):
        return generations, np.ones(len(generations), dtype=np.float32)
    generations, scores = score_readable(state.log, generations, wanted.vector, metric, damaged)
    if wanted.cue.score_min is None:
        return generations, scores
    similar = scores >= np.float32(wanted.cue.score_min)
    return generations[similar], scores[similar]

"""Recent observations: those committed while a recall runs that includes them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.model.spaces import Metric
from engram.store.recall.left_out import LeftOut
from engram.store.recall.search import PreparedCue
from engram.store.space_state import SpaceState
from engram.store.subscriptions.matching import match

# Maximum number of observations matched per batch. If more arrived, only the newest are matched, so that a batch never
# waits long.
_LOOKED_AT_MAX: Final = 10_000


class RecentObservations:
    """The observations that became visible after a generation and match a cue; each is matched at most once.

    Parameters
    ----------
    state, metric
        State and metric of the space.
    prepared
        The cue.
    generation
        The snapshot of the recall.
    left_out
        Decides what to do about damaged observations.
    """

    def __init__(
        self, state: SpaceState, metric: Metric, prepared: PreparedCue, generation: int, left_out: LeftOut
    ) -> None:
        self._state = state
        self._metric = metric
        self._wanted = prepared
        self._seen = generation
        self._left_out = left_out

    def best(self, count: int, score_min: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return up to `count` observations since the last call that score at least `score_min`, best first.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.float32]]
            Generations and scores, each of shape ``(n,)``.

        Raises
        ------
        CorruptData
            If an observation is damaged, unless damage is skipped.
        """
        visible = self._state.index.visible_generation
        first = max(self._seen + 1, visible - _LOOKED_AT_MAX + 1)
        if first > visible:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        lost = self._left_out.generations
        generations, scores = match(self._state, self._metric, self._wanted, first, visible, lost, alive_at=visible)
        self._left_out.settle()
        self._seen = visible
        order = np.argsort(-scores, kind="stable")[:count]
        order = order[scores[order] >= score_min]
        return generations[order], scores[order]

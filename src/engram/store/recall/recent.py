"""Recent observations: those committed while a recall runs that includes them."""

from __future__ import annotations

from typing import Final

from engram.model.spaces import Metric
from engram.store.filters.selection import Unreadable
from engram.store.recall.left_out import LeftOut
from engram.store.recall.ranked import NOTHING, Ranked
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
        self._prepared = prepared
        self._seen = generation
        self._left_out = left_out

    def best(self, count: int, score_min: float | None) -> Ranked:
        """Return up to `count` observations since the last call that score at least `score_min`, best first.

        Raises
        ------
        CorruptData
            If an observation is damaged, unless damage is skipped.
        """
        visible = self._state.index.visible_generation
        first = max(self._seen + 1, visible - _LOOKED_AT_MAX + 1)
        if first > visible:
            return NOTHING
        lost, unclear = self._left_out.generations, list[Unreadable]()
        found = match(self._state, self._metric, self._prepared, first, visible, lost, unclear, alive_at=visible)
        self._left_out.settle()
        self._left_out.add(unclear)
        self._seen = visible
        return found.at_least(score_min).best_first().head(count)

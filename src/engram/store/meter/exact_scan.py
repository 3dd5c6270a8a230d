"""The exact answer to a recall: every observation that was alive is compared with the cue, a piece at a time."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from engram.model.query import RecallQuery
from engram.model.spaces import SpaceConfig
from engram.store.filters.selection import Unreadable, select
from engram.store.recall.exact import score_readable
from engram.store.recall.ranked import NOTHING, Ranked
from engram.store.recall.search import Search
from engram.store.space_state import SpaceState

STEP: Final = 256
"""Generations that are looked at in one piece: recalls that come meanwhile may have to wait for it."""


_FLOAT_BYTES: Final = 4


class ExactScan:
    """Answers recalls by similarity without the index. Any thread may use it.

    Parameters
    ----------
    config
        Settings of the space.
    state
        State of the space.
    search
        Prepares cues.

    Attributes
    ----------
    vector_bytes
        Bytes of one vector.
    """

    def __init__(self, config: SpaceConfig, state: SpaceState, search: Search) -> None:
        self._config = config
        self._state = state
        self._search = search
        self.vector_bytes: Final = config.dim * _FLOAT_BYTES

    def best(self, query: RecallQuery, generation: int) -> Generator[None, None, Ranked]:
        """Return the best `query.k` observations that were alive at `generation`, best first; yield after each piece.

        Damaged observations are left out.

        Raises
        ------
        EngramError
            If a text cannot be embedded.
        """
        vector = self._search.prepare(query.cue).vector
        if vector is None:
            raise ValueError("a cue without a vector has no nearest observations")
        best = NOTHING
        damaged: list[int] = []
        unclear: list[Unreadable] = []
        for first in range(1, generation + 1, STEP):
            last = min(first + STEP - 1, generation)
            chosen = select(self._state.attributes, query.cue.conditions, first, last, generation, unclear)
            if len(chosen):
                scored = score_readable(self._state.log, chosen, vector, self._config.metric, damaged)
                best = best.then(scored.at_least(query.cue.score_min)).best_first().head(query.k)
            yield
        return best

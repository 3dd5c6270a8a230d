"""The exact answer to a recall: every observation that was alive is compared with the cue, a piece at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Final

from engram.errors import FailedPrecondition, Unavailable
from engram.model.query import RecallQuery
from engram.model.spaces import SpaceConfig
from engram.store.filters.columns import CHUNK_ROWS
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

        Damaged observations are left out. Nothing is returned if something that was alive then, or the space itself, is
        dropped or erased meanwhile.

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
        attributes = self._state.attributes
        for first, last in self._pieces(generation):
            chosen = select(attributes, query.cue.conditions, first, last, generation, unclear)
            if len(chosen):
                try:
                    scored = score_readable(self._state.log, chosen, vector, self._config.metric, damaged)
                except (FailedPrecondition, Unavailable):
                    return NOTHING
                best = best.then(scored.at_least(query.cue.score_min)).best_first().head(query.k)
            yield
        state = self._state
        return best if state.dropped_generation <= generation and not state.life.is_over else NOTHING

    def nbytes(self, generation: int) -> int:
        """Return about how many bytes of vectors have to be read to answer as of `generation`."""
        return min(generation, self._state.attributes.columns.row_count) * self.vector_bytes

    def _pieces(self, generation: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of generations, without those of which nothing is left."""
        for number in self._state.attributes.columns.within(1, generation):
            begin, end = max(number * CHUNK_ROWS, 1), min((number + 1) * CHUNK_ROWS, generation + 1)
            for first in range(begin, end, STEP):
                yield first, min(first + STEP, end) - 1

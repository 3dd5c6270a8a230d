"""From a cue to ranked generations: which way of searching is cheapest for what the filter lets pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError, FailedPrecondition, InvalidInput
from engram.model.cue import Cue
from engram.model.limits import EF_MAX, RESULTS_MAX
from engram.model.spaces import SpaceConfig
from engram.model.vectors import as_matrix, check_query
from engram.store.filters.selection import bitmap, select
from engram.store.recall.exact import score_readable
from engram.store.recall.full_text import FullText
from engram.store.recall.left_out import LeftOut
from engram.store.recall.rank_fusion import fuse
from engram.store.recall.ranked import Ranked, RankedWalk, ResultWalk
from engram.store.space_state import SpaceState
from engram.text import Embedder, get_embedder

# Up to so many observations, scoring each is cheaper than a walk that meets mostly what the filter keeps out.
_EXACT_COUNT_MAX: Final = 1000
# What the filter keeps out is walked through, but leads less far: as many candidates find less of what passes.
_FILTERED_BREADTH: Final = 2
# Rankings are fused at least so deep: what one ranking has far down may be near the top of the other.
_FUSED_COUNT_MIN: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCue:
    """A cue, and the vector that it has or that the space's embedder made of its text."""

    cue: Cue
    vector: NDArray[np.float32] | None


class Search:
    """Searches the state of one space, on any thread, without locks.

    Parameters
    ----------
    config
        The space's settings.
    state
        Where to look.
    full_text
        The index of its texts.
    """

    def __init__(self, config: SpaceConfig, state: SpaceState, full_text: FullText) -> None:
        self._config = config
        self._state = state
        self._full_text = full_text

    @cached_property
    def embedder(self) -> Embedder:
        """The space's embedder.

        Raises
        ------
        FailedPrecondition
            If it has none.
        """
        return get_embedder(self._config.embedder, self._config.dim)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What the embedder makes of `texts`, which is code of somebody else: float32, shape ``(len(texts), dim)``.

        Raises
        ------
        InvalidInput
            If it refuses a text.
        FailedPrecondition
            If there is no embedder, or it fails, or makes something else than vectors of this space.
        """
        embedder = self.embedder
        try:
            vectors = embedder.embed(texts)
        except EngramError:
            raise
        except Exception as error:
            raise self._embedder_failed(f"failed: {error!r}") from error
        try:
            made = as_matrix(vectors)
        except InvalidInput as error:
            raise self._embedder_failed(f"made something else: {error.message}") from error
        if made.shape != (len(texts), self._config.dim):
            wanted = f"({len(texts)}, {self._config.dim})"
            raise self._embedder_failed(f"made vectors of shape {made.shape} where {wanted} is needed")
        return made

    def prepare(self, cue: Cue) -> PreparedCue:
        """Check the cue, and embed its text where similarity is asked for.

        Raises
        ------
        InvalidInput
            If the cue does not fit the space.
        FailedPrecondition
            If a text is to be embedded and the space has no embedder.
        """
        if cue.by == "words" or not cue.ranks:
            return PreparedCue(cue, None)
        vector = cue.vector if cue.vector is not None else self.embed([cue.text])[0]
        return PreparedCue(cue, check_query(vector, self._config))

    def best(self, wanted: PreparedCue, count: int, generation: int, ef: int, left_out: LeftOut) -> Ranked:
        """Up to `count` observations alive at `generation`, best first.

        Raises
        ------
        CorruptData
            If what is needed is damaged, unless `left_out` skips it.
        """
        chosen = self._choose(wanted, generation)
        if self._is_ranked(wanted, chosen):
            return self._ranked(wanted, chosen, generation, count, ef, left_out).next(count)
        assert wanted.vector is not None  # noqa: S101  (for the type checker: what is not ranked has a vector)
        return self._nearest(wanted.vector, chosen, count, generation, ef, left_out)

    def walk(self, wanted: PreparedCue, count_max: int, generation: int, ef: int, left_out: LeftOut) -> ResultWalk:
        """Observations alive at `generation`, a few at a time; a walk that is ranked in advance has `count_max`.

        Raises as `best`; a walk that is not ranked in advance is given ``left_out.generations`` at every step.
        """
        chosen = self._choose(wanted, generation)
        if self._is_ranked(wanted, chosen):
            return self._ranked(wanted, chosen, generation, count_max, ef, left_out)
        allowed = None if chosen is None else bitmap(chosen)
        assert wanted.vector is not None  # noqa: S101  (for the type checker: what is not ranked has a vector)
        return self._state.index.walk(wanted.vector, max_generation=generation, allowed=allowed)

    def _embedder_failed(self, what: str) -> FailedPrecondition:
        name = self._config.embedder
        return FailedPrecondition(f"the embedder {name!r} {what}", code="embedder_failed", field="embedder", value=name)

    @staticmethod
    def breadth(cue: Cue, ef: int) -> int:
        """How many candidates a search for `cue` weighs against one another where `ef` are enough without a filter."""
        return ef if cue.filter.is_open else min(EF_MAX, ef * _FILTERED_BREADTH)

    def _choose(self, wanted: PreparedCue, generation: int) -> NDArray[np.int64] | None:
        """What passes the filter; None for everything, where that need not be listed."""
        if wanted.cue.filter.is_open and wanted.cue.ranks:
            return None
        return select(self._state.attributes, wanted.cue.filter, 1, generation, alive_at=generation)

    @staticmethod
    def _is_ranked(wanted: PreparedCue, chosen: NDArray[np.int64] | None) -> bool:
        few = chosen is not None and len(chosen) <= _EXACT_COUNT_MAX
        return wanted.vector is None or wanted.cue.by != "similarity" or few

    def _ranked(
        self,
        wanted: PreparedCue,
        chosen: NDArray[np.int64] | None,
        generation: int,
        count: int,
        ef: int,
        left_out: LeftOut,
    ) -> RankedWalk:
        if wanted.cue.by == "words":
            return RankedWalk(*self._by_words(wanted, chosen, generation, count, left_out))
        if wanted.vector is None:
            assert chosen is not None  # noqa: S101  (for the type checker: without a ranking, everything is listed)
            newest_first = chosen[::-1][:count]
            return RankedWalk(newest_first, np.ones(len(newest_first), dtype=np.float32))
        if wanted.cue.by == "both":
            depth = min(RESULTS_MAX, max(count, _FUSED_COUNT_MIN))
            similar, _ = self._nearest(wanted.vector, chosen, depth, generation, ef, left_out)
            worded, _ = self._by_words(wanted, chosen, generation, depth, left_out)
            return RankedWalk(*fuse(similar, worded))
        assert chosen is not None  # noqa: S101  (for the type checker)
        lost = left_out.generations
        walk = RankedWalk(*score_readable(self._state.log, chosen, wanted.vector, self._config.metric, lost))
        left_out.settle()
        return walk

    def _nearest(
        self,
        vector: NDArray[np.float32],
        chosen: NDArray[np.int64] | None,
        count: int,
        generation: int,
        ef: int,
        left_out: LeftOut,
    ) -> Ranked:
        allowed = None if chosen is None else bitmap(chosen)
        generations, scores = self._state.index.search(
            vector, count, ef, max_generation=generation, allowed=allowed, damaged=left_out.generations
        )
        left_out.settle()
        found = generations > 0
        return generations[found].astype(np.int64), scores[found]

    def _by_words(
        self, wanted: PreparedCue, chosen: NDArray[np.int64] | None, generation: int, count: int, left_out: LeftOut
    ) -> Ranked:
        def passes(generations: NDArray[np.int64]) -> NDArray[np.bool_]:
            if chosen is None:
                return self._state.attributes.columns.alive(generations, generation)
            places = np.searchsorted(chosen, generations)
            places[places == len(chosen)] = 0
            return chosen[places] == generations if len(chosen) else np.zeros(len(generations), dtype=bool)

        ranked = self._full_text.best(wanted.cue.text, generation, count, passes)
        # Who cannot be read might have been among them.
        left_out.add(self._full_text.damaged(generation, passes))
        return ranked

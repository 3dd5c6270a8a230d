"""Search: from a cue to ranked generations, in the way that is cheapest for the observations that pass the filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.errors import EngramError, FailedPrecondition, InvalidInput
from engram.index import Walk
from engram.model.cue import Cue
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter
from engram.model.limits import EF_MAX, RESULTS_MAX
from engram.model.query import RecallQuery
from engram.model.spaces import SpaceConfig
from engram.model.values.vectors import as_matrix, check_query
from engram.store.filters.rows import PassingRows
from engram.store.filters.selection import Unreadable, passing
from engram.store.recall.full_text import FullText
from engram.store.recall.left_out import LeftOut
from engram.store.recall.rank_fusion import fuse
from engram.store.recall.ranked import NOTHING, Ranked
from engram.store.space_state import SpaceState
from engram.text import Embedder, get_embedder

# Up to this many observations are compared one by one, as the graph does (docs/decisions/0005).
_EXACT_COUNT_MAX: Final = _core.EXACT_COUNT_MAX
# Breadth factor of a filtered search, of whose hits people expect that they are the nearest that pass. What is excluded
# does not count as a candidate (docs/decisions/0017).
_FILTERED_BREADTH: Final = 4
# Minimum depth of fused rankings: what is far down in one ranking may be near the top of the other.
_FUSED_COUNT_MIN: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCue:
    """A cue with its vector: the cue's own, or the one that the space's embedder made of its text.

    Parameters
    ----------
    cue
        The cue.
    vector
        float32, shape ``(dim,)``; None if the cue does not ask for similarity.
    """

    cue: Cue
    vector: NDArray[np.float32] | None


class Search:
    """Searches the state of one space, on any thread, without locks.

    Parameters
    ----------
    config
        Settings of the space.
    state
        State of the space.
    full_text
        Full-text index of the space.
    threads
        Number of threads that a search for one cue may use.
    """

    def __init__(self, config: SpaceConfig, state: SpaceState, full_text: FullText, threads: int) -> None:
        self._config = config
        self._state = state
        self._full_text = full_text
        self._threads = threads

    @cached_property
    def embedder(self) -> Embedder:
        """Embedder of the space.

        Raises
        ------
        FailedPrecondition
            If the space has no embedder.
        NotFound, MissingExtra, Unavailable
            If the embedder cannot be made; see `engram.text.get_embedder`.
        """
        return get_embedder(self._config.embedder, self._config.dim)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors that the embedder makes of `texts`: float32, shape ``(len(texts), dim)``.

        The result is checked, because an embedder can be foreign code.

        Raises
        ------
        InvalidInput
            If the embedder refuses a text.
        FailedPrecondition
            If there is no embedder, or it fails, or it returns anything but vectors of this space.
        """
        embedder = self.embedder
        try:
            vectors = embedder.embed(texts)
        except EngramError:
            raise
        except Exception as error:
            raise self._embedder_failed(f"failed: {error!r}") from error
        try:
            # An embedder may use its array again, and what is stored must not change.
            made = as_matrix(vectors, owned=True)
        except InvalidInput as error:
            raise self._embedder_failed(f"made something else: {error.message}") from error
        if made.shape != (len(texts), self._config.dim):
            needed = f"({len(texts)}, {self._config.dim})"
            raise self._embedder_failed(f"made vectors of shape {made.shape} where {needed} is needed")
        return made

    def prepare(self, cue: Cue) -> PreparedCue:
        """Check the cue against the space; embed its text if similarity is asked for and it has no vector.

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

    def embedded(self, query: RecallQuery) -> RecallQuery:
        """Return `query` with the vector of its text, so that the text is not embedded once more.

        Raises
        ------
        EngramError
            As `prepare`.
        """
        if query.cue.vector is not None:
            return query
        vector = self.prepare(query.cue).vector
        return query if vector is None else replace(query, cue=replace(query.cue, vector=vector))

    def best(
        self, prepared: PreparedCue, count: int, generation: int, ef: int, left_out: LeftOut, due_us: int = 0
    ) -> Ranked:
        """Return up to `count` observations that were alive at `generation`, best first.

        What is due at `due_us`, microseconds since 1970 UTC, is hidden; 0: nothing is.

        Raises
        ------
        CorruptData
            If needed bytes are damaged, unless `left_out` skips damage.
        """
        chosen = self._choose(prepared, generation, left_out, due_us)
        return self.best_of(prepared, chosen, count, generation, ef, left_out)

    def best_of(
        self,
        prepared: PreparedCue,
        chosen: PassingRows | None,
        count: int,
        generation: int,
        ef: int,
        left_out: LeftOut,
    ) -> Ranked:
        """Return up to `count` of the `chosen` observations, best first; None: of all that were alive at `generation`.

        Raises
        ------
        CorruptData
            As for `best`.
        """
        if self._is_ranked(prepared, chosen):
            return self._ranked(prepared, chosen, generation, count, ef, left_out).head(count)
        assert prepared.vector is not None  # noqa: S101  (for the type checker: only ranked cues lack a vector)
        return self._nearest(prepared.vector, chosen, count, generation, ef, left_out)

    def walk(
        self, prepared: PreparedCue, count_max: int, generation: int, ef: int, left_out: LeftOut, due_us: int = 0
    ) -> Walk | Ranked:
        """Return a walk over the observations that were alive at `generation`, or up to `count_max` of them ranked.

        They are ranked at once if that is cheaper than a walk. A walk must be given ``left_out.generations`` at every
        step; what is ranked is best first. `due_us` is that of `best`.

        Raises
        ------
        CorruptData
            If needed bytes are damaged, unless `left_out` skips damage.
        """
        chosen = self._choose(prepared, generation, left_out, due_us)
        if self._is_ranked(prepared, chosen):
            return self._ranked(prepared, chosen, generation, count_max, ef, left_out)
        assert prepared.vector is not None  # noqa: S101  (for the type checker: only ranked cues lack a vector)
        return self._walk(prepared.vector, chosen, generation)

    def _embedder_failed(self, what: str) -> FailedPrecondition:
        name = self._config.embedder
        return FailedPrecondition(f"the embedder {name!r} {what}", code="embedder_failed", field="embedder", value=name)

    @staticmethod
    def breadth(conditions: Filter | Condition, ef: int) -> int:
        """Return the number of candidates that a search with a filter compares, where `ef` are enough without one."""
        return ef if conditions.is_open else min(EF_MAX, ef * _FILTERED_BREADTH)

    @staticmethod
    def are_few(chosen: PassingRows | None) -> bool:
        """Return whether so few observations pass a filter that each of them is scored; None stands for all."""
        return chosen is not None and len(chosen) <= _EXACT_COUNT_MAX

    def _choose(self, prepared: PreparedCue, generation: int, left_out: LeftOut, due_us: int) -> PassingRows | None:
        """Return the observations that pass the filter; None for all, where they need not be looked up."""
        attributes, conditions = self._state.attributes, prepared.cue.conditions
        hidden = attributes.due(due_us, generation, generation)
        if conditions.is_open and prepared.cue.ranks and not len(hidden):
            return None
        unclear: list[Unreadable] = []
        chosen = passing(attributes, conditions, 1, generation, generation, unclear, hidden)
        left_out.add(unclear)
        return chosen

    @staticmethod
    def _is_ranked(prepared: PreparedCue, chosen: PassingRows | None) -> bool:
        return prepared.vector is None or prepared.cue.by != "similarity" or Search.are_few(chosen)

    def _ranked(
        self,
        prepared: PreparedCue,
        chosen: PassingRows | None,
        generation: int,
        count: int,
        ef: int,
        left_out: LeftOut,
    ) -> Ranked:
        if prepared.cue.by == "words":
            return self._by_words(prepared, chosen, generation, count, left_out)
        if prepared.vector is None:
            assert chosen is not None  # noqa: S101  (for the type checker: without a ranking, everything is listed)
            newest_first = chosen.generations[::-1][:count]
            return Ranked(newest_first, np.ones(len(newest_first), dtype=np.float32))
        if prepared.cue.by == "both":
            depth = max(count, _FUSED_COUNT_MIN)
            similar = self._nearest(prepared.vector, chosen, depth, generation, ef, left_out)
            worded = self._by_words(prepared, chosen, generation, depth, left_out)
            return fuse(similar.generations, worded.generations)
        depth = count if chosen is None else max(1, len(chosen))
        return self._nearest(prepared.vector, chosen, depth, generation, ef, left_out)

    def _nearest(
        self,
        vector: NDArray[np.float32],
        chosen: PassingRows | None,
        count: int,
        generation: int,
        ef: int,
        left_out: LeftOut,
    ) -> Ranked:
        if count > RESULTS_MAX:
            return self._far(vector, chosen, count, generation, left_out)
        allowed, begin = (None, 0) if chosen is None else chosen.bitmap()
        found = Ranked(
            *self._state.index.search(
                vector,
                count,
                ef,
                max_generation=generation,
                threads=self._threads,
                allowed=allowed,
                damaged=left_out.generations,
                allowed_begin=begin,
            )
        )
        left_out.settle()
        # What is missing stands at the end.
        is_full = len(found) == 0 or found.generations[-1] > 0
        return found if is_full else found.where(found.generations > 0)

    def _far(
        self,
        vector: NDArray[np.float32],
        chosen: PassingRows | None,
        count: int,
        generation: int,
        left_out: LeftOut,
    ) -> Ranked:
        """Return what `_nearest` does, for more than one search has room for: with a walk, in wide steps."""
        walk = self._walk(vector, chosen, generation)
        found = NOTHING
        while len(found) < count:
            step = Ranked(*walk.next(min(count - len(found), RESULTS_MAX), EF_MAX, left_out.generations))
            left_out.settle()
            if not step:
                break
            found = found.then(step)
        return found.best_first()

    def _walk(self, vector: NDArray[np.float32], chosen: PassingRows | None, generation: int) -> Walk:
        allowed, begin = (None, 0) if chosen is None else chosen.bitmap()
        return self._state.index.walk(vector, max_generation=generation, allowed=allowed, allowed_begin=begin)

    def _by_words(
        self, prepared: PreparedCue, chosen: PassingRows | None, generation: int, count: int, left_out: LeftOut
    ) -> Ranked:
        def passes(generations: NDArray[np.int64]) -> NDArray[np.bool_]:
            if chosen is None:
                return self._state.attributes.columns.alive(generations, generation)
            return chosen.has(generations)

        ranked = self._full_text.best(prepared.cue.text, generation, count, passes)
        # An observation whose text cannot be read might have been among the results.
        left_out.add(self._full_text.damaged(generation, passes))
        return ranked

"""Rankings for many cues: those that can be are searched for together, on several threads, without the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.index import exact_scores
from engram.model.cue import Cue
from engram.model.limits import RESULTS_MAX
from engram.model.many.many_query import ManyQuery
from engram.model.spaces import SpaceConfig
from engram.store.many.filter_plans import FilterPlan, FilterPlans
from engram.store.many.prepared_cues import check_all, prepare
from engram.store.recall.exact import read_vectors
from engram.store.recall.left_out import LeftOut
from engram.store.recall.ranked import NOTHING, Ranked
from engram.store.recall.search import PreparedCue, Search
from engram.store.space_state import SpaceState

PART_COUNT: Final = 64
"""Cues that are searched for together. Where others may have their turn, they have it after so many."""

# Results that the searches of one part may have room for, however few of them are found.
_PART_RESULTS: Final = 1 << 17

_Together = Callable[[NDArray[np.float32], FilterPlan, int], list[Ranked] | None]


class RankedCue(NamedTuple):
    """One cue, what it has found, best first, and what had to be left out."""

    cue: Cue
    ranked: Ranked
    left_out: LeftOut


class ManySearch:
    """Searches for the cues of one query as of one generation. One thread at a time may use it.

    Every cue finds what it would find alone. Filters are looked up once. The vectors of cues with equal filters are
    searched for in one native call; where few observations pass, the vectors of these are read once. Words have an
    index that answers one cue after the other.

    Parameters
    ----------
    config, state
        Settings and state of the space.
    search
        Searches for single cues.
    query
        The query.
    generation
        The generation.
    ef
        Breadth of a search without a filter.
    threads
        Number of threads that share the cues of one search.
    due_us
        What is due at this time is hidden; 0: nothing is.

    Raises
    ------
    InvalidInput
        If a cue does not fit the space; the error names it.
    FailedPrecondition
        If a text is to be embedded and the space has no embedder.
    """

    def __init__(
        self,
        config: SpaceConfig,
        state: SpaceState,
        search: Search,
        query: ManyQuery,
        generation: int,
        ef: int,
        threads: int,
        due_us: int = 0,
    ) -> None:
        check_all(query.cues, search, config)
        self._config = config
        self._state = state
        self._search = search
        self._query = query
        self._generation = generation
        self._ef = ef
        self._threads = threads
        self._plans = FilterPlans(state.attributes, generation, query.common.cue.conditions, due_us)

    def parts(self, count: int) -> Iterator[list[RankedCue]]:
        """Yield the rankings of the cues in their order, up to `count` observations for each, a part of them at a time.

        Raises
        ------
        CorruptData
            If a ranking needs damaged bytes, unless the query skips damage.
        """
        size = max(1, min(PART_COUNT, _PART_RESULTS // count))
        for start in range(0, len(self._query.cues), size):
            yield self._part(start, min(start + size, len(self._query.cues)), count)

    def _part(self, start: int, stop: int, count: int) -> list[RankedCue]:
        prepared = prepare(self._query.cues, start, stop, self._search, self._config)
        left_outs = [LeftOut(self._state.log, self._query.common.skip_damaged) for _ in prepared]
        if self._generation == 0:
            return [RankedCue(one.cue, NOTHING, left_out) for one, left_out in zip(prepared, left_outs, strict=True)]
        plans = [self._plans.of(one.cue) for one in prepared]
        for plan, left_out in zip(plans, left_outs, strict=True):
            left_out.add(plan.unclear)
        found = self._found_together(prepared, plans, count)
        return [
            RankedCue(
                one.cue,
                found[place] if place in found else self._found_alone(one, plans[place], count, left_outs[place]),
                left_outs[place],
            )
            for place, one in enumerate(prepared)
        ]

    def _found_together(self, prepared: list[PreparedCue], plans: list[FilterPlan], count: int) -> dict[int, Ranked]:
        """Return what those cues find that can be answered together, by their places."""
        members: dict[int, list[int]] = {}
        for place, one in enumerate(prepared):
            if one.vector is not None and one.cue.by == "similarity":
                members.setdefault(id(plans[place]), []).append(place)
        found: dict[int, Ranked] = {}
        for places in members.values():
            plan = plans[places[0]]
            work: _Together = self._scored if self._search.are_few(plan.chosen) else self._searched
            vectors = np.stack([vector for place in places if (vector := prepared[place].vector) is not None])
            rankings = work(vectors, plan, count)
            if rankings is not None:
                found.update(zip(places, rankings, strict=True))
        return found

    def _searched(self, vectors: NDArray[np.float32], plan: FilterPlan, count: int) -> list[Ranked] | None:
        """Return what the graph and its tail have for each vector; None if something is damaged, of whichever it is.

        None also if each vector has more results than one search has room for.
        """
        if count > RESULTS_MAX:
            return None
        allowed, begin = plan.allowed
        damaged: list[int] = []
        generations, scores = self._state.index.search(
            vectors,
            count,
            self._search.breadth(plan.conditions, self._ef),
            max_generation=self._generation,
            threads=self._threads,
            allowed=allowed,
            damaged=damaged,
            allowed_begin=begin,
        )
        if damaged:
            return None
        # What is missing is at the end, with generation 0.
        counts = np.count_nonzero(generations, axis=1).tolist()
        return [Ranked(generations[row, :found], scores[row, :found]) for row, found in enumerate(counts)]

    def _scored(self, vectors: NDArray[np.float32], plan: FilterPlan, count: int) -> list[Ranked] | None:
        """Return the exact ranking of the few that pass for each vector; None if one of them is damaged."""
        assert plan.chosen is not None  # noqa: S101  (for the type checker: all are not few)
        chosen = plan.chosen.generations
        try:
            chosen, rows = read_vectors(self._state.log, chosen, self._config.dim)
        except CorruptData:
            return None
        metric = self._config.metric
        return [Ranked(chosen, exact_scores(vector, rows, metric)).best_first().head(count) for vector in vectors]

    def _found_alone(self, prepared: PreparedCue, plan: FilterPlan, count: int, left_out: LeftOut) -> Ranked:
        ef = self._search.breadth(plan.conditions, self._ef)
        return self._search.best_of(prepared, plan.chosen, count, self._generation, ef, left_out)

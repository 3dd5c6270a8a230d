"""The executor of recalls and look-ups in one space."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

import numpy as np

from engram.index import Walk
from engram.lifecycle.forking import check_process
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter
from engram.model.hit import Hit, Hits
from engram.model.limits import RESULTS_MAX
from engram.model.many.many_query import ManyQuery
from engram.model.operations.results import Counted, too_many_hits
from engram.model.query import Recalled, RecallQuery
from engram.model.spaces import SpaceConfig
from engram.model.strength import Strength
from engram.model.times import now_us
from engram.store.filters.selection import passing
from engram.store.many.many_search import ManySearch, RankedCue
from engram.store.options import StoreOptions
from engram.store.recall.full_text import FullText
from engram.store.recall.left_out import LeftOut
from engram.store.recall.ranked import NOTHING, Ranked
from engram.store.recall.recent import RecentObservations
from engram.store.recall.reinforcement import Reinforcement
from engram.store.recall.search import PreparedCue, Search
from engram.store.recall.stored_hits import HitMaker, stored_hit, stored_hits
from engram.store.recall.stream import MakeHits, RecallStream
from engram.store.recall.strength_ranking import RankedByStrength, strongest
from engram.store.scans.scans import Scans
from engram.store.space_state import SpaceState
from engram.store.subscriptions.registry import Subscriptions

# A ranking by strength considers this many times the number of hits asked for, and at least this many observations,
# because the strongest observations need not be the nearest.
_RERANKED_FACTOR: Final = 4
_RERANKED_COUNT_MIN: Final = 100


class RecallExecutor(HitMaker):
    """Answers recalls from the state of a space at a generation, on any thread, without locks.

    Parameters
    ----------
    config
        Settings of the space.
    state
        State of the space.
    options
        Settings of the store: the defaults of recalls.
    subscriptions
        Registry to which standing recalls are added.
    hold
        Retains what a stream sees, and returns it.
    """

    def __init__(
        self,
        config: SpaceConfig,
        state: SpaceState,
        options: StoreOptions,
        subscriptions: Subscriptions,
        hold: Callable[[RecallStream], RecallStream],
    ) -> None:
        super().__init__(state, options)
        self._process = os.getpid()
        self._subscriptions = subscriptions
        self._hold = hold
        self._config = config
        self._reinforcement = Reinforcement(options.half_life_s)
        self.search: Search = Search(config, state, FullText(state.log), options.search_thread_count)
        self.scans: Scans = Scans(state)

    def check_process(self) -> None:
        """Refuse to read in a forked child, and what has been dropped or renamed.

        Raises
        ------
        FailedPrecondition
            In a forked child (code ``forked``); with code ``space_dropped`` or ``space_renamed``.
        """
        check_process(self._process, "store")
        self._state.life.check()

    def recall(self, query: RecallQuery, generation: int, due_us: int = 0) -> Recalled:
        """Answer a recall at once as of a retained generation; see `Space.recall`.

        What is due at `due_us`, microseconds since 1970 UTC, is hidden; 0: the generation alone counts.

        Raises
        ------
        Unavailable
            With code ``erased``, if something was erased that was about to be read.
        """
        self.check_process()
        with self._state.log.as_of(generation):
            return self._recall(query, generation, due_us)

    def _recall(self, query: RecallQuery, generation: int, due_us: int) -> Recalled:
        start_s = time.perf_counter()
        prepared = self.search.prepare(query.cue)
        left_out = LeftOut(self._state.log, query.skip_damaged, generation)
        # This reads the indexed generation before the search: a hit that is marked as indexed was then certainly not
        # found in the tail.
        make_hits = self.hits_as_of(generation, left_out)
        if query.strength is not None:
            similar = self._similar(prepared, query, generation, left_out, due_us)
            hits = self._hits_by_strength(similar, query.k, query.strength, generation, left_out)
            found = len(hits)
        else:
            ranked = self._best(prepared, query, query.k, generation, left_out, due_us)
            hits = make_hits(ranked.at_least(query.cue.score_min))
            found = len(ranked)
        # The space may have come to rest since the caller looked for it.
        self._state.erasures.check()
        return Recalled(hits, generation, found, (time.perf_counter() - start_s) * 1000, left_out.any)

    def stream(self, query: RecallQuery, generation: int, due_us: int = 0) -> RecallStream:
        """Answer a recall in batches as of a retained generation; see `Space.recall_stream`. Raises as `recall`.

        What is due later than at `due_us`, when the stream begins, stays in it.
        """
        self.check_process()
        with self._state.log.as_of(generation):
            return self._hold(self._stream(query, generation, due_us))

    def _stream(self, query: RecallQuery, generation: int, due_us: int) -> RecallStream:
        # The cue is checked here rather than when the first batch is taken.
        prepared = self.search.prepare(query.cue)
        ef = self._breadth(query)
        left_out = LeftOut(self._state.log, query.skip_damaged, generation)
        make_hits = self.hits_as_of(generation, left_out)
        recent = subscription = None
        if query.strength is not None:
            similar = self._similar(prepared, query, generation, left_out, due_us)
            by_strength = self._strongest(similar, query.k, query.strength, left_out)
            results: Walk | Ranked = by_strength.memories
            make_hits = self._strong_hits(by_strength, query.strength, generation, left_out)
            # `score_min` limits the similarity and has been applied. The stream would compare strengths with it.
            query = replace(query, cue=replace(query.cue, score_min=None))
        elif generation == 0:
            results = NOTHING
        else:
            results = self.search.walk(prepared, query.k, generation, ef, left_out, due_us)
        if query.include_recent:
            recent = RecentObservations(self._state, self._config.metric, prepared, generation, left_out)
        if query.follow:
            subscription = self._subscriptions.follow(prepared, generation, left_out)
        erasures, life = self._state.erasures, self._state.life
        return RecallStream(
            results, query, generation, ef, make_hits, left_out, recent, subscription, erasures=erasures, life=life
        )

    def recall_many(
        self, query: ManyQuery, generation: int, hits_max: int | None = None, due_us: int = 0
    ) -> Generator[None, None, list[Hits]]:
        """Answer a recall of many cues; yield where others may have their turn. See `Space.recall_many`.

        Parameters
        ----------
        query
            The query.
        generation
            Generation as of which all cues are answered.
        hits_max
            Most hits of all cues together; None: no limit.
        due_us
            As for `recall`.

        Raises
        ------
        InvalidInput
            With code ``results_bytes``, if there are more.
        Unavailable
            As for `recall`.
        """
        self.check_process()
        with self._state.log.as_of(generation):
            found = yield from self._recall_many(query, generation, hits_max, due_us)
        self._state.erasures.check()
        return found

    def _recall_many(
        self, query: ManyQuery, generation: int, hits_max: int | None, due_us: int
    ) -> Generator[None, None, list[Hits]]:
        common = query.common
        # Read before the search, as for a recall.
        indexed = self._state.index.indexed_generation
        ef, threads = common.ef or self._options.ef, self._options.search_thread_count
        search = ManySearch(self._config, self._state, self.search, query, generation, ef, threads, due_us)
        count = common.k if common.strength is None else _considered_count(common.k)
        found: list[Hits] = []
        hit_count = 0
        for part in search.parts(count):
            if found:
                yield
            for one, hits in zip(part, self._hits_of_part(part, common, generation, indexed), strict=True):
                found.append(Hits(hits, generation, one.left_out.any))
                hit_count += len(hits)
            if hits_max is not None and hit_count > hits_max:
                raise too_many_hits(hit_count, len(found))
        return found

    def get(self, id: str, generation: int | None, due_us: int = 0) -> Hit | None:
        """Return the live version of `id`, or the version that was alive at `generation`; None if there is none.

        `due_us` is that of `recall`.

        Raises
        ------
        Unavailable
            As for `recall`.
        """
        self.check_process()
        state = self._state
        indexed = state.index.indexed_generation
        if generation is None:
            return self._stored(state.versions.live(id), indexed, due_us)
        with state.log.as_of(generation):
            return self._stored(state.versions.at(id, generation, state.log), indexed, due_us)

    def _stored(self, found: int | None, indexed: int, due_us: int) -> Hit | None:
        if found is None or self._state.attributes.is_due(found, due_us):
            return None
        return stored_hit(*self._state.log.locate(found), found, 1.0, found <= indexed, now_us())

    def count(self, filter: Filter | Condition, generation: int, due_us: int = 0) -> Counted:
        """Return how many observations that were alive at `generation` pass `filter`; `due_us` is that of `recall`.

        Raises
        ------
        CorruptData
            If the filter needs a text that is damaged.
        """
        self.check_process()
        attributes = self._state.attributes
        hidden = attributes.due(due_us, generation, generation)
        return Counted(passing(attributes, filter, 1, generation, generation, hidden=hidden).count, generation)

    def _best(
        self, prepared: PreparedCue, query: RecallQuery, count: int, generation: int, left_out: LeftOut, due_us: int
    ) -> Ranked:
        if generation == 0:
            return NOTHING
        return self.search.best(prepared, count, generation, self._breadth(query), left_out, due_us)

    def _breadth(self, query: RecallQuery) -> int:
        return self.search.breadth(query.cue.conditions, query.ef or self._options.ef)

    def _similar(
        self, prepared: PreparedCue, query: RecallQuery, generation: int, left_out: LeftOut, due_us: int
    ) -> Ranked:
        """Return what a ranking by strength considers."""
        found = self._best(prepared, query, _considered_count(query.k), generation, left_out, due_us)
        return found.at_least(query.cue.score_min)

    def _hits_by_strength(
        self, similar: Ranked, count: int, strength: Strength, generation: int, left_out: LeftOut
    ) -> list[Hit]:
        """Return hits on the strongest of some observations, and count each as a recall."""
        by_strength = self._strongest(similar, count, strength, left_out)
        return self._strong_hits(by_strength, strength, generation, left_out)(by_strength.memories)

    def _strongest(self, similar: Ranked, count: int, strength: Strength, left_out: LeftOut) -> RankedByStrength:
        log = self._state.log
        if left_out.skip:
            readable = [left_out.can_be_read(*log.locate(one)) for one in similar.generations.tolist()]
            similar = similar.where(np.array(readable, dtype=bool))
        metric = self._config.metric
        return strongest(log, metric, self._reinforcement, strength, similar, count)

    def _strong_hits(
        self, by_strength: RankedByStrength, strength: Strength, generation: int, left_out: LeftOut
    ) -> MakeHits:
        """Return a function that makes hits of generations and strengths, and counts each hit as a recall."""
        indexed = self._state.index.indexed_generation
        similarities = dict(
            zip(by_strength.memories.generations.tolist(), by_strength.similarities.tolist(), strict=True)
        )

        def make_hits(ranked: Ranked) -> list[Hit]:
            recalled_us = now_us()
            found, places = ranked.generations.tolist(), self._places(ranked, generation)
            if strength.reinforce:
                self._reinforcement.reinforce(found, recalled_us)
            return [
                stored_hit(*place, one, similarities[one], one <= indexed, recalled_us, weight)
                for one, place, weight in zip(found, places, ranked.scores.tolist(), strict=True)
                if left_out.can_be_read(*place)
            ]

        return make_hits

    def _hits_of_part(
        self, part: Sequence[RankedCue], common: RecallQuery, generation: int, indexed: int
    ) -> list[list[Hit]]:
        """Return the hits of each of some cues."""
        rankings, strength = [one.ranked.at_least(one.cue.score_min) for one in part], common.strength
        if strength is not None:
            # One after the other, because each makes its hits stronger for the next.
            return [
                self._hits_by_strength(ranked, common.k, strength, generation, one.left_out)
                for one, ranked in zip(part, rankings, strict=True)
            ]
        recalled_us = now_us()
        places = self._state.log.locate_all(chain.from_iterable(ranked.generations.tolist() for ranked in rankings))
        self._read_ahead.read(record for record, _ in places.values())
        if common.skip_damaged:
            readable = [
                [one.left_out.can_be_read(*places[each]) for each in ranked.generations.tolist()]
                for one, ranked in zip(part, rankings, strict=True)
            ]
            rankings = [
                ranked.where(np.array(kept, dtype=bool)) for ranked, kept in zip(rankings, readable, strict=True)
            ]
        return [stored_hits(places, ranked, indexed, recalled_us) for ranked in rankings]


def _considered_count(k: int) -> int:
    """Return how many observations a ranking by strength considers for `k` hits."""
    return max(k, min(RESULTS_MAX, max(_RERANKED_FACTOR * k, _RERANKED_COUNT_MIN)))

"""The making of hits from generations and scores."""

from __future__ import annotations

from engram.log.files.prefetch import Prefetch
from engram.log.records.record import Record
from engram.model.hit import Hit
from engram.model.times import now_us
from engram.store.expiry.present import present_us
from engram.store.options import StoreOptions
from engram.store.recall.left_out import LeftOut
from engram.store.recall.ranked import Ranked
from engram.store.recall.stored_hits import recent_hit, stored_hit
from engram.store.recall.stream import MakeHits
from engram.store.space_state import SpaceState


class HitMaker:
    """Makes hits of what was found; the base class of `RecallExecutor`.

    Parameters
    ----------
    state
        State of the space.
    options
        Settings of the store.
    """

    def __init__(self, state: SpaceState, options: StoreOptions) -> None:
        self._state = state
        self._options = options
        self._read_ahead = Prefetch()

    def hits_as_of(self, generation: int, left_out: LeftOut) -> MakeHits:
        """Return a function that makes hits of generations and scores, for a recall of `generation` that begins now."""
        state, options = self._state, self._options
        indexed = state.index.indexed_generation

        def make_hits(ranked: Ranked) -> list[Hit]:
            recalled_us = now_us()
            hits = []
            places = self._places(ranked, generation)
            for found, score, place in zip(ranked.generations.tolist(), ranked.scores.tolist(), places, strict=True):
                if not left_out.can_be_read(*place):
                    continue
                if found <= generation:
                    hits.append(stored_hit(*place, score, found <= indexed, recalled_us))
                elif not state.attributes.is_due(found, present_us()):
                    # It may have waited for long to be taken.
                    hits.append(recent_hit(*place, score, recalled_us, options.recent_penalty, options.recent_tau_s))
            return hits

        return make_hits

    def _places(self, ranked: Ranked, generation: int) -> list[tuple[Record, int]]:
        """Return the record and the row of each observation, after prefetching the records.

        Those up to `generation` were alive then. A stream reads them whenever it is asked to.
        """
        with self._state.log.as_of(generation):
            places = [self._state.log.locate(found) for found in ranked.generations.tolist()]
        self._read_ahead.read(record for record, _ in places)
        return places

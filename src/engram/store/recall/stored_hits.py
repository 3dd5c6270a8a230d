"""Hits on observations in the log."""

from __future__ import annotations

import math
from collections.abc import Mapping

from engram.log.files.prefetch import Prefetch
from engram.log.records.record import Record
from engram.model.hit import Hit, age_s
from engram.model.times import now_us
from engram.store.expiry.present import present_us
from engram.store.options import StoreOptions
from engram.store.recall.left_out import LeftOut
from engram.store.recall.ranked import Ranked
from engram.store.recall.stream import MakeHits
from engram.store.space_state import SpaceState

# A hit is frozen; these set its slots at less than half the cost of `object.__setattr__`.
_put_score, _put_generation, _put_indexed, _put_recent, _put_strength, _put_recalled_us, _put_source = (
    getattr(Hit, name).__set__
    for name in ("score", "generation", "indexed", "recent", "strength", "recalled_us", "_source")
)


def stored_hit(
    record: Record,
    row: int,
    generation: int,
    score: float,
    indexed: bool,
    recalled_us: int,
    strength: float | None = None,
) -> Hit:
    """Return the hit for one row of a record, whose generation the caller knows."""
    hit = object.__new__(Hit)
    _put_score(hit, score)
    _put_generation(hit, generation)
    _put_indexed(hit, indexed)
    _put_recent(hit, False)
    _put_strength(hit, strength)
    _put_recalled_us(hit, recalled_us)
    _put_source(hit, (record, row))
    return hit


def stored_hits(places: Mapping[int, tuple[Record, int]], ranked: Ranked, indexed: int, recalled_us: int) -> list[Hit]:
    """Return the hits for ranked observations, in their order, at a lower cost than one by one.

    Parameters
    ----------
    places
        The record and the row of each observation, by generation.
    ranked
        The observations, with their scores.
    indexed
        Generation up to which everything is linked into the graph.
    recalled_us
        Time of the recall, in microseconds since 1970 UTC.
    """
    hits = []
    for found, score in zip(ranked.generations.tolist(), ranked.scores.tolist(), strict=True):
        hit = object.__new__(Hit)
        _put_score(hit, score)
        _put_generation(hit, found)
        _put_indexed(hit, found <= indexed)
        _put_recent(hit, False)
        _put_strength(hit, None)
        _put_recalled_us(hit, recalled_us)
        _put_source(hit, places[found])
        hits.append(hit)
    return hits


def recent_hit(
    record: Record, row: int, generation: int, score: float, recalled_us: int, penalty: float, tau_s: float
) -> Hit:
    """Return the hit for one row of a record that was written after the snapshot of the recall.

    The confidence of the hit is that of the observation times ``1 - penalty * exp(-age / tau_s)``. The age is counted
    from the commit, in seconds.
    """
    hit = stored_hit(record, row, generation, score, False, recalled_us)
    since_s = age_s(record.committed_us, recalled_us)
    confidence = record.confidence(row) * (1 - penalty * math.exp(-since_s / tau_s))
    object.__setattr__(hit, "confidence", confidence)
    object.__setattr__(hit, "recent", True)
    return hit


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
                    hits.append(stored_hit(*place, found, score, found <= indexed, recalled_us))
                elif not state.attributes.is_due(found, present_us()):
                    # It may have waited for long to be taken.
                    penalty, tau_s = options.recent_penalty, options.recent_tau_s
                    hits.append(recent_hit(*place, found, score, recalled_us, penalty, tau_s))
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

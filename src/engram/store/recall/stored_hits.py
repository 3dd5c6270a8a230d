"""Hits on observations in the log."""

from __future__ import annotations

import math
from collections.abc import Mapping

from engram.log.records.record import Record
from engram.model.hit import Hit, age_s
from engram.store.recall.ranked import Ranked

# A hit is frozen; these set its slots at less than half the cost of `object.__setattr__`.
_put_score, _put_generation, _put_indexed, _put_recent, _put_strength, _put_recalled_us, _put_source = (
    getattr(Hit, name).__set__
    for name in ("score", "generation", "indexed", "recent", "strength", "recalled_us", "_source")
)


def stored_hit(
    record: Record,
    row: int,
    score: float,
    indexed: bool,
    recalled_us: int,
    strength: float | None = None,
) -> Hit:
    """Return the hit for one row of a record."""
    hit = object.__new__(Hit)
    _put_score(hit, score)
    _put_generation(hit, record.generation(row))
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


def recent_hit(record: Record, row: int, score: float, recalled_us: int, penalty: float, tau_s: float) -> Hit:
    """Return the hit for one row of a record that was written after the snapshot of the recall.

    The confidence of the hit is that of the observation times ``1 - penalty * exp(-age / tau_s)``. The age is counted
    from the commit, in seconds.
    """
    hit = stored_hit(record, row, score, False, recalled_us)
    since_s = age_s(record.committed_us, recalled_us)
    confidence = record.confidence(row) * (1 - penalty * math.exp(-since_s / tau_s))
    object.__setattr__(hit, "confidence", confidence)
    object.__setattr__(hit, "recent", True)
    return hit

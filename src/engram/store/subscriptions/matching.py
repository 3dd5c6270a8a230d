"""Exact matching of new observations against a cue, in the order of generations."""

from __future__ import annotations

import numpy as np

from engram.model.spaces import Metric
from engram.store.expiry.present import present_us
from engram.store.filters.selection import Unreadable, select
from engram.store.recall.exact import score_readable
from engram.store.recall.ranked import NOTHING, Ranked
from engram.store.recall.search import PreparedCue
from engram.store.space_state import SpaceState
from engram.store.subscriptions.word_matches import chosen_by_words


def match(
    state: SpaceState,
    metric: Metric,
    prepared: PreparedCue,
    first: int,
    last: int,
    damaged: list[int],
    unclear: list[Unreadable],
    alive_at: int | None = None,
) -> Ranked:
    """Return the observations with generations from `first` to `last` that match the cue, in the order of generations.

    A cue without a vector gives every score as 1. What is due by now does not match.

    Parameters
    ----------
    damaged
        Receives the generations that cannot be compared with the cue, because their vectors are damaged. They may match
        or not.
    unclear
        Receives, by generation, the observations that match if they pass the filter, or have the words of the cue,
        which cannot be told for damage.
    alive_at
        As for `select`.
    """
    hidden = state.attributes.due(present_us(), last, alive_at, first)
    generations = select(state.attributes, prepared.cue.conditions, first, last, alive_at, unclear, hidden)
    if prepared.cue.by == "words":
        generations = chosen_by_words(state.log, prepared.cue.text, first, last, generations, unclear)
    if prepared.vector is None:
        return Ranked(generations, np.ones(len(generations), dtype=np.float32))
    asked = np.union1d(generations, np.array([generation for generation, _ in unclear], dtype=np.int64))
    if not len(asked):
        return NOTHING
    found = score_readable(state.log, asked, prepared.vector, metric, damaged).at_least(prepared.cue.score_min)
    if unclear:
        similar = set(found.generations.tolist())
        unclear[:] = [(generation, error) for generation, error in unclear if generation in similar]
        found = found.where(np.isin(found.generations, generations))
    return found

"""Ranking by the strength of memories instead of similarity alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.log.log import Log
from engram.model.spaces import Metric
from engram.model.strength import Strength
from engram.model.times import now_us
from engram.store.recall.ranked import Ranked
from engram.store.recall.reinforcement import Memories, Reinforcement


class RankedByStrength(NamedTuple):
    """Memories ranked by strength.

    Parameters
    ----------
    memories
        The memories, the strongest first; their scores are their strengths.
    similarities
        float32, shape ``(n,)``: the similarity of each memory.
    """

    memories: Ranked
    similarities: NDArray[np.float32]


def strongest(
    log: Log, metric: Metric, reinforcement: Reinforcement, strength: Strength, similar: Ranked, count: int
) -> RankedByStrength:
    """Rank results by strength that were ranked by similarity, and return the `count` strongest."""
    strengths = reinforcement.strengths(_read(log, similar), strength, metric, now_us())
    order = np.argsort(-strengths, kind="stable")[:count]
    return RankedByStrength(Ranked(similar.generations[order], strengths[order]), similar.scores[order])


def _read(log: Log, similar: Ranked) -> Memories:
    located = [log.locate(generation) for generation in similar.generations.tolist()]
    count = len(located)
    return Memories(
        similar.generations,
        similar.scores,
        np.fromiter((record.confidence(row) for record, row in located), np.float32, count),
        np.fromiter((record.importance(row) for record, row in located), np.float32, count),
        np.fromiter((record.time_us(row) for record, row in located), np.int64, count),
    )

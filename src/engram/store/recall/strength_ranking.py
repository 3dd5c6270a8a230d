"""Ranking by the strength of memories instead of similarity alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.log.log import Log
from engram.model.spaces import Metric
from engram.model.strength import Strength
from engram.model.times import now_us
from engram.store.recall.reinforcement import Memories, Reinforcement


class RankedByStrength(NamedTuple):
    """Memories ranked by strength, the strongest first; arrays of shape ``(n,)``."""

    generations: NDArray[np.int64]
    similarities: NDArray[np.float32]
    strengths: NDArray[np.float32]


def strongest(
    log: Log,
    metric: Metric,
    reinforcement: Reinforcement,
    strength: Strength,
    ranked: tuple[NDArray[np.int64], NDArray[np.float32]],
) -> RankedByStrength:
    """Rank results by strength that were ranked by similarity.

    Parameters
    ----------
    ranked
        Generations (int64) and similarities (float32), shape ``(n,)`` each.
    """
    generations, similarities = ranked
    memories = _read(log, generations, similarities)
    strengths = reinforcement.strengths(memories, strength, metric, now_us())
    order = np.argsort(-strengths, kind="stable")
    return RankedByStrength(generations[order], similarities[order], strengths[order])


def _read(log: Log, generations: NDArray[np.int64], similarities: NDArray[np.float32]) -> Memories:
    located = [log.locate(generation) for generation in generations.tolist()]
    count = len(located)
    return Memories(
        generations,
        similarities,
        np.fromiter((record.confidence(row) for record, row in located), np.float32, count),
        np.fromiter((record.importance(row) for record, row in located), np.float32, count),
        np.fromiter((record.time_us(row) for record, row in located), np.int64, count),
    )

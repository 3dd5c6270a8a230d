"""Reinforcement: how often memories were recalled by strength, and their strength; see `engram.model.strength`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.index import similarities
from engram.model.spaces import Metric
from engram.model.strength import Strength
from engram.model.times import TIME_MIN_US

# Only this many memories, the most recently recalled, are remembered. Others count as never recalled.
_REMEMBERED_MAX: Final = 100_000


class Memories(NamedTuple):
    """The values from which the strength of memories is computed: arrays of shape ``(n,)``, one entry per memory."""

    generations: NDArray[np.int64]
    similarities: NDArray[np.float32]
    confidences: NDArray[np.float32]
    importances: NDArray[np.float32]
    times_us: NDArray[np.int64]


class Reinforcement:
    """The number and the time of the recalls by strength of each memory. Kept in memory only; any thread may call it.

    Parameters
    ----------
    half_life_s
        Half-life in seconds for recalls that name none.
    """

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._recalled: OrderedDict[int, tuple[int, int]] = OrderedDict()
        self._guard = threading.Lock()

    def strengths(self, memories: Memories, strength: Strength, metric: Metric, now_us: int) -> NDArray[np.float32]:
        """Return the strength of each memory: float32, shape ``(n,)``; see `engram.model.strength`.

        Parameters
        ----------
        memories
            The memories.
        strength
            The settings of the ranking by strength.
        metric
            Metric of the similarities.
        now_us
            Time of the recall, microseconds since 1970 UTC.
        """
        with self._guard:
            known = [self._recalled.get(generation, (0, 0)) for generation in memories.generations.tolist()]
        counts = np.array([count for count, _ in known], dtype=np.float64)
        latest_us = np.maximum(memories.times_us, np.array([at_us for _, at_us in known], dtype=np.int64))
        # An older version has stored times so extreme that a difference with them overflows.
        latest_us = np.maximum(latest_us, TIME_MIN_US)
        half_lives_s = (strength.half_life_s or self._half_life_s) * (1 + counts)
        ages = np.maximum(now_us - latest_us, 0) / 1e6 / half_lives_s
        kept = np.exp2(-ages) if strength.forgetting == "exponential" else 1 / (1 + ages)
        strengths = (
            similarities(memories.similarities, metric) * memories.confidences * (1 + memories.importances) / 2 * kept
        )
        weights: NDArray[np.float32] = strengths.astype(np.float32)
        return weights

    def reinforce(self, generations: list[int], now_us: int) -> None:
        """Count one more recall of each of `generations`, at `now_us` (microseconds since 1970 UTC)."""
        with self._guard:
            for generation in generations:
                count, _ = self._recalled.pop(generation, (0, 0))
                self._recalled[generation] = count + 1, now_us
            while len(self._recalled) > _REMEMBERED_MAX:
                self._recalled.popitem(last=False)

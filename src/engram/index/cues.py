"""Standing cues: many queries that are matched against every new vector."""

from __future__ import annotations

from numpy.typing import ArrayLike

from engram import _core
from engram.index.checks import as_vector, check_choice, check_range
from engram.model.limits import DIMENSION_MAX, DIMENSION_MIN
from engram.model.spaces import METRICS, Metric


class CueTable:
    """Cues with thresholds, for `HnswIndex.match`. Any thread may add and remove while another matches.

    Parameters
    ----------
    dim, metric
        Those of the index.

    Raises
    ------
    InvalidInput
        If one of them is out of range.
    """

    def __init__(self, dim: int, metric: Metric = "cosine") -> None:
        check_range("dim", dim, DIMENSION_MIN, DIMENSION_MAX)
        check_choice("metric", metric, METRICS)
        self._dim = dim
        self.native = _core.CueTable(dim, metric)

    def add(self, key: int, vector: ArrayLike, threshold: float) -> None:
        """Match vectors whose score is at least `threshold`; a cue with the same key is replaced.

        Parameters
        ----------
        vector
            float32, shape ``(dim,)``.
        threshold
            In the metric's score: a cosine, an inner product, or minus a squared distance.

        Raises
        ------
        InvalidInput
            If the shape does not fit.
        """
        self.native.add(key, as_vector("vector", vector, self._dim), threshold)

    def remove(self, key: int) -> bool:
        """Forget a cue; return whether it was there."""
        return self.native.remove(key)

    def __len__(self) -> int:
        return len(self.native)

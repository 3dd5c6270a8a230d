"""Cue tables: many cues that are matched against every new vector."""

from __future__ import annotations

from numpy.typing import ArrayLike

from engram import _core
from engram.index.checks import as_vector, check_choice, check_range
from engram.model.limits import DIMENSION_MAX, DIMENSION_MIN
from engram.model.spaces import METRICS, Metric


class CueTable:
    """A table of cues with thresholds, for `HnswIndex.match`.

    Any thread may add and remove cues while another thread matches.

    Parameters
    ----------
    dim, metric
        Dimension and metric of the index.

    Raises
    ------
    InvalidInput
        If `dim` is out of range or `metric` is unknown.
    """

    def __init__(self, dim: int, metric: Metric = "cosine") -> None:
        check_range("dim", dim, DIMENSION_MIN, DIMENSION_MAX)
        check_choice("metric", metric, METRICS)
        self._dim = dim
        self.native: _core.CueTable = _core.CueTable(dim, metric)

    def add(self, key: int, vector: ArrayLike, threshold: float) -> None:
        """Add a cue, or replace the cue with the same key.

        Parameters
        ----------
        key
            The cue's number, which `HnswIndex.match` returns with each match.
        vector
            float32, shape ``(dim,)``.
        threshold
            Vectors with at least this score match. Scores are those of the metric.

        Raises
        ------
        InvalidInput
            If the shape does not fit.
        """
        self.native.add(key, as_vector("vector", vector, self._dim), threshold)

    def remove(self, key: int) -> bool:
        """Remove the cue with this key; return whether there was one."""
        return self.native.remove(key)

    def __len__(self) -> int:
        return len(self.native)

    def __repr__(self) -> str:
        return f"CueTable(dim={self._dim}, count={len(self)})"

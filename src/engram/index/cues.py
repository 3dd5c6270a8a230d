"""Cue tables: many cues that are matched against every new vector."""

from __future__ import annotations

from typing import Final

from numpy.typing import ArrayLike

from engram import _core
from engram.index.checks import as_threshold, as_vector, check_choice, check_finite, check_range
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
        self.dim: Final = check_range("dim", dim, DIMENSION_MIN, DIMENSION_MAX)
        check_choice("metric", metric, METRICS)
        self.metric: Final = metric
        self.native: _core.CueTable = _core.CueTable(self.dim, metric)

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
            If the shape does not fit, the key is no whole number of 64 bits, or a number is not finite.
        """
        self.native.add(
            _as_key(key), check_finite("vector", as_vector("vector", vector, self.dim)), as_threshold(threshold)
        )

    def remove(self, key: int) -> bool:
        """Remove the cue with this key; return whether there was one."""
        return self.native.remove(_as_key(key))

    def __len__(self) -> int:
        return len(self.native)

    def __repr__(self) -> str:
        return f"CueTable(dim={self.dim}, metric={self.metric!r}, count={len(self)})"


def _as_key(key: object) -> int:
    return check_range("key", key, -(2**63), 2**63 - 1)

"""Exact scores of chosen observations, computed on the vectors in the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.log.log import Log
from engram.spaces import Metric


def read_vectors(log: Log, generations: NDArray[np.int64], dim: int) -> NDArray[np.float32]:
    """The vectors of observations, in the order of `generations`, which must ascend; shape ``(n, dim)``."""
    vectors = np.empty((len(generations), dim), dtype=np.float32)
    done = 0
    while done < len(generations):
        record, _ = log.locate(int(generations[done]))
        end = done + int(np.searchsorted(generations[done:], record.last_generation, side="right"))
        vectors[done:end] = record.vectors(generations[done:end] - record.first_generation)
        done = end
    return vectors


def score(vectors: NDArray[np.float32], query: NDArray[np.float32], metric: Metric) -> NDArray[np.float32]:
    """The similarity of each row of `vectors` to `query`; larger is nearer."""
    if metric == "l2":
        differences = vectors - query
        distances: NDArray[np.float32] = np.einsum("ij,ij->i", differences, differences)
        return -distances
    dots: NDArray[np.float32] = vectors @ query
    if metric == "ip":
        return dots
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors)) * np.sqrt(query @ query)
    cosines: NDArray[np.float32] = dots / norms
    return cosines


def score_all(
    log: Log, generations: NDArray[np.int64], query: NDArray[np.float32], metric: Metric
) -> NDArray[np.float32]:
    """The similarity of each observation to `query`, for `generations` that ascend."""
    return score(read_vectors(log, generations, len(query)), query, metric)

"""Exact scores of chosen observations, computed on the vectors in the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.log.log import Log
from engram.model.spaces import Metric


def read_vectors(log: Log, generations: NDArray[np.int64], dim: int) -> NDArray[np.float32]:
    """The vectors of observations, in the order of `generations`, which must ascend; shape ``(n, dim)``.

    Raises
    ------
    CorruptData
        If one is damaged.
    """
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
    """The similarity of each observation to `query`, for `generations` that ascend. Raises as `read_vectors`."""
    return score(read_vectors(log, generations, len(query)), query, metric)


def score_readable(
    log: Log, generations: NDArray[np.int64], query: NDArray[np.float32], metric: Metric, damaged: list[int]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Like `score_all`, leaving out what is damaged: the generations that are left, and their scores.

    `damaged` gets the others.
    """
    try:
        return generations, score_all(log, generations, query, metric)
    except CorruptData:
        readable = np.array([_can_be_read(log, generation) for generation in generations.tolist()], dtype=bool)
    damaged.extend(generations[~readable].tolist())
    return generations[readable], score_all(log, generations[readable], query, metric)


def _can_be_read(log: Log, generation: int) -> bool:
    record, row = log.locate(generation)
    try:
        record.vector(row)
    except CorruptData:
        return False
    return True

"""Exact scores of chosen observations, computed from their vectors in the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.log.log import Log
from engram.model.spaces import Metric


def read_vectors(log: Log, generations: NDArray[np.int64], dim: int) -> NDArray[np.float32]:
    """Return the vectors of observations as float32, shape ``(n, dim)``, in the order of `generations`.

    Parameters
    ----------
    generations
        int64, shape ``(n,)``, ascending.

    Raises
    ------
    CorruptData
        If one of the vectors is damaged.
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
    """Return the similarity of each row of `vectors` to `query`; larger is nearer.

    Parameters
    ----------
    vectors, query
        float32, shapes ``(n, dim)`` and ``(dim,)``.

    Returns
    -------
    NDArray[np.float32]
        Shape ``(n,)``.
    """
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
    """Return the similarity of each observation to `query`: float32, shape ``(n,)``.

    Parameters
    ----------
    generations
        int64, shape ``(n,)``, ascending.
    query
        float32, shape ``(dim,)``.

    Raises
    ------
    CorruptData
        If one of the vectors is damaged.
    """
    return score(read_vectors(log, generations, len(query)), query, metric)


def score_readable(
    log: Log, generations: NDArray[np.int64], query: NDArray[np.float32], metric: Metric, damaged: list[int]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the observations whose vectors can be read, and their similarity to `query`.

    Parameters
    ----------
    generations
        int64, shape ``(n,)``, ascending.
    query
        float32, shape ``(dim,)``.
    damaged
        Receives the generations of the other observations.

    Returns
    -------
    tuple[NDArray[np.int64], NDArray[np.float32]]
        Generations, ascending, and scores, each of shape ``(m,)``.
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

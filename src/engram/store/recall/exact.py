"""Exact scores of chosen observations, computed from their vectors in the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.index import exact_scores
from engram.log.log import Log
from engram.model.spaces import Metric
from engram.store.recall.ranked import Ranked


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
    FailedPrecondition, Unavailable
        If one of the observations is not retained any more, or erased.
    """
    vectors = np.empty((len(generations), dim), dtype=np.float32)
    done = 0
    while done < len(generations):
        record, rows = log.locate_run(generations[done:])
        vectors[done : done + len(rows)] = record.vectors(rows)
        done += len(rows)
    return vectors


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
    return exact_scores(query, read_vectors(log, generations, len(query)), metric)


def score_readable(
    log: Log, generations: NDArray[np.int64], query: NDArray[np.float32], metric: Metric, damaged: list[int]
) -> Ranked:
    """Return the observations whose vectors can be read, and their similarity to `query`, in the order of generations.

    Parameters
    ----------
    generations
        int64, shape ``(n,)``, ascending.
    query
        float32, shape ``(dim,)``.
    damaged
        Receives the generations of the other observations.
    """
    try:
        return Ranked(generations, score_all(log, generations, query, metric))
    except CorruptData:
        readable = np.array([_can_be_read(log, generation) for generation in generations.tolist()], dtype=bool)
    damaged.extend(generations[~readable].tolist())
    return Ranked(generations[readable], score_all(log, generations[readable], query, metric))


def _can_be_read(log: Log, generation: int) -> bool:
    record, row = log.locate(generation)
    try:
        record.vector(row)
    except CorruptData:
        return False
    return True

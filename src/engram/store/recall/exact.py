"""Exact scores of chosen observations, computed from their vectors in the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.index import exact_scores
from engram.log.log import Log
from engram.model.spaces import Metric
from engram.store.recall.ranked import Ranked


def read_vectors(log: Log, generations: NDArray[np.int64], dim: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the observations that have a vector, in their order, and the vectors as float32, shape ``(m, dim)``.

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
    lacking: list[NDArray[np.int64]] = []
    done = 0
    while done < len(generations):
        record, rows = log.locate_run(generations[done:])
        presence = record.vector_presence()
        if presence is None:
            vectors[done : done + len(rows)] = record.vectors(rows)
        else:
            with_one = presence[rows]
            if with_one.any():
                vectors[done : done + len(rows)][with_one] = record.vectors(rows)
            lacking.append(done + np.flatnonzero(~with_one))
        done += len(rows)
    if not lacking:
        return generations, vectors
    kept = np.ones(len(generations), np.bool_)
    kept[np.concatenate(lacking)] = False
    return generations[kept], vectors[kept]


def score_all(log: Log, generations: NDArray[np.int64], query: NDArray[np.float32], metric: Metric) -> Ranked:
    """Return the observations that have a vector, and their similarity to `query`, in the order of generations.

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
    compared, vectors = read_vectors(log, generations, len(query))
    return Ranked(compared, exact_scores(query, vectors, metric))


def score_readable(
    log: Log, generations: NDArray[np.int64], query: NDArray[np.float32], metric: Metric, damaged: list[int]
) -> Ranked:
    """Return the observations with vectors that can be read, and their similarity, in the order of generations.

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
        return score_all(log, generations, query, metric)
    except CorruptData:
        readable = np.array([_can_be_read(log, generation) for generation in generations.tolist()], dtype=bool)
    damaged.extend(generations[~readable].tolist())
    return score_all(log, generations[readable], query, metric)


def _can_be_read(log: Log, generation: int) -> bool:
    record, row = log.locate(generation)
    try:
        record.vector(row)
    except CorruptData:
        return False
    return True

"""Scores of vectors under a metric, computed by the same native code that ranks the results of a search."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.index.checks import as_matrix, check_choice
from engram.model.spaces import METRICS, Metric
from engram.model.values.vectors import as_query


def exact_scores(query: NDArray[np.float32], rows: NDArray[np.float32], metric: Metric) -> NDArray[np.float32]:
    """Return the score of each row for a query; a larger score is nearer. Releases the interpreter lock.

    The scores are those that `HnswIndex.search`, `HnswIndex.walk` and `HnswIndex.match` return for the same vectors, to
    the last bit.

    Parameters
    ----------
    query
        float32, shape ``(dim,)``.
    rows
        float32, shape ``(n, dim)``.
    metric
        Name of the metric.

    Returns
    -------
    NDArray[np.float32]
        Shape ``(n,)``.

    Raises
    ------
    InvalidInput
        If the shapes do not fit, elements are not real numbers, or `metric` is unknown.
    """
    check_choice("metric", metric, METRICS)
    vector = as_query(query, "query")
    return _core.exact_scores(vector, as_matrix("rows", rows, len(vector)), metric)


def similarities(scores: NDArray[np.float32], metric: Metric) -> NDArray[np.float64]:
    """Return scores as numbers from 0 up, for rankings that multiply them with other numbers.

    Parameters
    ----------
    scores
        float32, shape ``(n,)``, as `exact_scores` returns them.
    metric
        Name of the metric.

    Returns
    -------
    NDArray[np.float64]
        Shape ``(n,)``; a larger score never has a smaller similarity.

    Raises
    ------
    InvalidInput
        If `metric` is unknown.
    """
    check_choice("metric", metric, METRICS)
    return _core.similarities(scores, metric)

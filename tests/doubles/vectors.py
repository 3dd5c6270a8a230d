"""Vectors to test the index with, and what is true of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def clustered(count: int, dim: int, seed: int = 1, clusters: int = 40) -> NDArray[np.float32]:
    """The same clusters for every seed, so that queries of another seed come from the same distribution."""
    rng = np.random.default_rng(seed)
    spectrum = (1 / np.arange(1, dim + 1) ** 0.6).astype(np.float32)
    centres = np.random.default_rng(0).standard_normal((clusters, dim)).astype(np.float32) * spectrum
    noise = rng.standard_normal((count, dim)).astype(np.float32) * spectrum
    return np.asarray(0.7 * centres[rng.integers(0, clusters, count)] + noise, dtype=np.float32)


def _cosines(queries: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(rows, axis=1)
    return np.asarray(queries @ rows.T / lengths)


def _inner_products(queries: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(queries @ rows.T)


def _squared_distances(queries: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray([-((rows - query) ** 2).sum(axis=1) for query in queries])


_SCORES = {"cosine": _cosines, "ip": _inner_products, "l2": _squared_distances}


def true_scores(queries: NDArray[np.float32], rows: NDArray[np.float32], metric: str) -> NDArray[np.float64]:
    """The score of each row for each query, of shape (queries, rows), computed without Engram in double precision."""
    return _SCORES[metric](queries.astype(np.float64), rows.astype(np.float64))


def exact(base: NDArray[np.float32], queries: NDArray[np.float32], metric: str, k: int = 10) -> NDArray[np.int64]:
    """Generations of the true nearest vectors."""
    return np.argsort(-true_scores(queries, base, metric), axis=1)[:, :k] + 1


def recall_of(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Share of the true nearest that were found."""
    pairs = zip(found.tolist(), truth.tolist(), strict=True)
    return sum(len(set(a) & set(b)) for a, b in pairs) / truth.size


def bitmap(generations: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The generations as an allow-list."""
    words = np.zeros(int(generations.max(initial=0)) // 64 + 1, dtype=np.uint64)
    np.bitwise_or.at(words, generations // 64, np.uint64(1) << (generations % 64).astype(np.uint64))
    return words

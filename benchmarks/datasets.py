"""Vectors to measure with: synthetic ones of any size, and real text embeddings where a folder with them is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

QUERIES = 1000


@dataclass(frozen=True, slots=True)
class Dataset:
    """Base vectors, queries, and the true nearest ten of each query as row numbers of the base."""

    name: str
    base: NDArray[np.float32]
    queries: NDArray[np.float32]
    truth: NDArray[np.int64]


def synthetic_rows(count: int, dim: int = 768, clusters: int = 400, seed: int = 1) -> NDArray[np.float32]:
    """Clustered unit vectors with a power-law spectrum, like embeddings; float32, shape ``(count, dim)``.

    Made block by block, so that the first rows of a longer set equal a shorter one.
    """
    spectrum = (1 / np.arange(1, dim + 1) ** 0.6).astype(np.float32)
    world = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(world.standard_normal((dim, dim)).astype(np.float32))
    centres = world.standard_normal((clusters, dim)).astype(np.float32) * spectrum
    rows = np.empty((count, dim), dtype=np.float32)
    block = 50_000
    for start in range(0, count, block):
        rng = np.random.default_rng([seed, start])
        size = min(block, count - start)
        noise = rng.standard_normal((block, dim), dtype=np.float32)[:size] * spectrum
        picked = 0.7 * centres[rng.integers(0, clusters, block)[:size]]
        turned = (picked + noise) @ rotation.T
        rows[start : start + size] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    return rows


def synthetic(count: int, dim: int = 768, clusters: int = 400) -> Dataset:
    """`count` base vectors and 1 000 queries of the synthetic distribution."""
    rows = synthetic_rows(count + QUERIES, dim, clusters)
    return _split(f"synthetic {dim}-d, {clusters} clusters", rows)


def real(path: Path) -> Dataset:
    """A ``.npy`` matrix of embeddings: the first 1 000 rows are the queries, the rest is the base."""
    rows = np.load(path, allow_pickle=False).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return _split(path.stem, rows)


def exact(base: NDArray[np.float32], queries: NDArray[np.float32], k: int = 10) -> NDArray[np.int64]:
    """Row numbers of the `k` nearest by cosine, best first, for unit vectors."""
    found = np.empty((len(queries), k), dtype=np.int64)
    for start in range(0, len(queries), 100):
        scores = queries[start : start + 100] @ base.T
        top = np.argpartition(-scores, k, axis=1)[:, :k] if len(base) > k else np.argsort(-scores, axis=1)
        order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1)
        found[start : start + 100] = np.take_along_axis(top, order, axis=1)
    return found


def recall(found: NDArray[np.integer], truth: NDArray[np.int64]) -> float:
    """Share of the true nearest that were found, by row number."""
    hits = sum(len(set(a) & set(b)) for a, b in zip(found.tolist(), truth.tolist(), strict=True))
    return hits / truth.size


def _split(name: str, rows: NDArray[np.float32]) -> Dataset:
    queries, base = rows[:QUERIES].copy(), rows[QUERIES:]
    return Dataset(name, base, queries, exact(base, queries))

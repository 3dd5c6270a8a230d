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


class Synthetic:
    """Clustered unit vectors with a power-law spectrum, like embeddings, made block by block.

    A block depends on its number alone, so the first rows of a longer set equal a shorter one, and a set may be larger
    than memory. Few clusters make neighbours easy to find, 4 000 make them hard.
    """

    BLOCK = 50_000

    def __init__(self, dim: int = 768, clusters: int = 400, seed: int = 1) -> None:
        self.dim = dim
        self.clusters = clusters
        self._seed = seed
        self._spectrum = (1 / np.arange(1, dim + 1) ** 0.6).astype(np.float32)
        world = np.random.default_rng(seed)
        self._rotation, _ = np.linalg.qr(world.standard_normal((dim, dim)).astype(np.float32))
        self._centres = 0.7 * world.standard_normal((clusters, dim)).astype(np.float32) * self._spectrum

    def block(self, number: int, size: int = BLOCK) -> NDArray[np.float32]:
        """The first `size` rows of a block, float32, shape ``(size, dim)``."""
        rng = np.random.default_rng([self._seed, number * self.BLOCK])
        # The whole block is drawn in any case, or what is drawn next would depend on the size.
        rows = rng.standard_normal((self.BLOCK, self.dim), dtype=np.float32)[:size]
        rows *= self._spectrum
        rows += self._centres[rng.integers(0, self.clusters, self.BLOCK)[:size]]
        turned = rows @ self._rotation.T
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        return np.asarray(turned, dtype=np.float32)


def synthetic_rows(count: int, dim: int = 768, clusters: int = 400, seed: int = 1) -> NDArray[np.float32]:
    """The first `count` rows of a synthetic set in memory."""
    source = Synthetic(dim, clusters, seed)
    rows = np.empty((count, dim), dtype=np.float32)
    for start in range(0, count, Synthetic.BLOCK):
        size = min(Synthetic.BLOCK, count - start)
        rows[start : start + size] = source.block(start // Synthetic.BLOCK, size)
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

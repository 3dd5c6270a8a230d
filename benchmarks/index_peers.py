"""Engram's graph and its peers behind one small interface, so that one loop measures them all."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engram.index import HnswIndex, Quality

Vectors = NDArray[np.float32]


class Peer(Protocol):
    """An index under measurement; cosine, vectors are unit length."""

    name: str
    efs: tuple[int, ...]

    def build(self, base: Vectors, threads: int) -> None:
        """Insert all rows of `base`, row numbers as ids."""

    def search(self, queries: Vectors, k: int, ef: int) -> NDArray[np.int64]:
        """Row numbers of the nearest, with one thread, one query after the other."""


class Engram:
    """The graph of this project."""

    efs: tuple[int, ...] = (32, 48, 64, 96, 128, 192)

    def __init__(self, quality: Quality) -> None:
        self.name = f"engram {quality}"
        self._quality = quality

    def build(self, base: Vectors, threads: int) -> None:
        self._index = HnswIndex(base.shape[1], quality=self._quality)
        self._index.add(base, threads=threads)

    def search(self, queries: Vectors, k: int, ef: int) -> NDArray[np.int64]:
        return self._index.search(queries, k=k, ef=ef)[0].astype(np.int64) - 1


class Hnswlib:
    """hnswlib with M 16, ef_construction 100."""

    name = "hnswlib M16 efc100"
    efs: tuple[int, ...] = (32, 48, 64, 96, 128, 192)

    def build(self, base: Vectors, threads: int) -> None:
        module: Any = importlib.import_module("hnswlib")
        self._index = module.Index("ip", base.shape[1])
        self._index.init_index(len(base), M=16, ef_construction=100)
        self._index.add_items(base, num_threads=threads)

    def search(self, queries: Vectors, k: int, ef: int) -> NDArray[np.int64]:
        self._index.set_ef(ef)
        return np.asarray(self._index.knn_query(queries, k, num_threads=1)[0], dtype=np.int64)


class Usearch:
    """usearch with int8 vectors, connectivity 16, expansion 100."""

    name = "usearch i8"
    efs: tuple[int, ...] = (32, 64, 128, 192)

    def build(self, base: Vectors, threads: int) -> None:
        module: Any = importlib.import_module("usearch.index")
        self._index = module.Index(
            ndim=base.shape[1], metric="cos", dtype="i8", connectivity=16, expansion_add=100, expansion_search=64
        )
        self._index.add(np.arange(len(base)), base, threads=threads)

    def search(self, queries: Vectors, k: int, ef: int) -> NDArray[np.int64]:
        self._index.expansion_search = ef
        return np.asarray(self._index.search(queries, k, threads=1).keys, dtype=np.int64)


class Faiss:
    """faiss HNSW over 8-bit scalar quantisation, M 16, efConstruction 100."""

    name = "faiss HNSWSQ8"
    efs: tuple[int, ...] = (32, 64, 128, 192)

    def build(self, base: Vectors, threads: int) -> None:
        self._faiss: Any = importlib.import_module("faiss")
        self._faiss.omp_set_num_threads(threads)
        self._index = self._faiss.IndexHNSWSQ(
            base.shape[1], self._faiss.ScalarQuantizer.QT_8bit, 16, self._faiss.METRIC_INNER_PRODUCT
        )
        self._index.hnsw.efConstruction = 100
        self._index.train(base[:20_000])
        self._index.add(base)

    def search(self, queries: Vectors, k: int, ef: int) -> NDArray[np.int64]:
        self._faiss.omp_set_num_threads(1)
        self._index.hnsw.efSearch = ef
        return np.asarray(self._index.search(queries, k)[1], dtype=np.int64)


def installed() -> list[Peer]:
    """Engram in its three qualities, and every peer that can be imported."""
    peers: list[tuple[str, Peer]] = [("hnswlib", Hnswlib()), ("usearch", Usearch()), ("faiss", Faiss())]
    found = [peer for module, peer in peers if importlib.util.find_spec(module) is not None]
    return [Engram("fast"), Engram("balanced"), Engram("accurate"), *found]

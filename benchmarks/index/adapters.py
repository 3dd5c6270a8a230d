"""Engram's graph and its peers behind one small interface, so that one loop measures them all."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.index.feeding import insert
from engram.index import HnswIndex, Quality

Vectors = NDArray[np.float32]

_TRAINED_MAX = 20_000


class Peer(Protocol):
    """An index under measurement; cosine, vectors are unit length, row numbers are ids."""

    name: str

    def create(self, dim: int, capacity: int) -> None:
        """Begin an empty index for up to `capacity` rows."""

    def add(self, rows: Vectors, threads: int, raw: Vectors | None = None) -> None:
        """Insert the next rows. `raw` is where the same rows lie in a file, for an index that need not copy them."""

    def search(self, queries: Vectors, k: int, ef: int) -> NDArray[np.int64]:
        """Row numbers of the nearest, with one thread, one query after the other."""


class Engram:
    """The graph of this project."""

    def __init__(self, quality: Quality) -> None:
        self.name = f"engram {quality}"
        self._quality = quality

    def create(self, dim: int, capacity: int) -> None:
        self.index = HnswIndex(dim, quality=self._quality)

    def add(self, rows: Vectors, threads: int, raw: Vectors | None = None) -> None:
        if raw is None:
            self.index.add(rows, threads=threads)
        else:
            insert(self.index, rows, raw, threads)

    def search(self, queries: Vectors, k: int, ef: int) -> NDArray[np.int64]:
        return self.index.search(queries, k=k, ef=ef)[0] - 1


class Hnswlib:
    """hnswlib with M 16, ef_construction 100."""

    name = "hnswlib M16 efc100"

    def create(self, dim: int, capacity: int) -> None:
        module: Any = importlib.import_module("hnswlib")
        self._index = module.Index("ip", dim)
        self._index.init_index(capacity, M=16, ef_construction=100)

    def add(self, rows: Vectors, threads: int, raw: Vectors | None = None) -> None:
        self._index.add_items(rows, num_threads=threads)

    def search(self, queries: Vectors, k: int, ef: int) -> NDArray[np.int64]:
        self._index.set_ef(ef)
        return np.asarray(self._index.knn_query(queries, k, num_threads=1)[0], dtype=np.int64)


class Usearch:
    """usearch with int8 vectors, connectivity 16, expansion 100."""

    name = "usearch i8"

    def create(self, dim: int, capacity: int) -> None:
        module: Any = importlib.import_module("usearch.index")
        self._index = module.Index(
            ndim=dim, metric="cos", dtype="i8", connectivity=16, expansion_add=100, expansion_search=64
        )

    def add(self, rows: Vectors, threads: int, raw: Vectors | None = None) -> None:
        first = len(self._index)
        self._index.add(np.arange(first, first + len(rows)), rows, threads=threads)

    def search(self, queries: Vectors, k: int, ef: int) -> NDArray[np.int64]:
        self._index.expansion_search = ef
        return np.asarray(self._index.search(queries, k, threads=1).keys, dtype=np.int64)


class Faiss:
    """faiss HNSW over 8-bit scalar quantisation, M 16, efConstruction 100."""

    name = "faiss HNSWSQ8"

    def create(self, dim: int, capacity: int) -> None:
        self._faiss: Any = importlib.import_module("faiss")
        self._index = self._faiss.IndexHNSWSQ(
            dim, self._faiss.ScalarQuantizer.QT_8bit, 16, self._faiss.METRIC_INNER_PRODUCT
        )
        self._index.hnsw.efConstruction = 100

    def add(self, rows: Vectors, threads: int, raw: Vectors | None = None) -> None:
        self._faiss.omp_set_num_threads(threads)
        if not self._index.is_trained:
            self._index.train(rows[:_TRAINED_MAX])
        self._index.add(rows)

    def search(self, queries: Vectors, k: int, ef: int) -> NDArray[np.int64]:
        self._faiss.omp_set_num_threads(1)
        self._index.hnsw.efSearch = ef
        return np.asarray(self._index.search(queries, k)[1], dtype=np.int64)


PEERS: Final[dict[str, Callable[[], Peer]]] = {
    "engram-fast": partial(Engram, "fast"),
    "engram-balanced": partial(Engram, "balanced"),
    "engram-accurate": partial(Engram, "accurate"),
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "faiss": Faiss,
}


def installed(name: str) -> bool:
    """Whether what the peer of that name needs can be imported."""
    return name.startswith("engram") or importlib.util.find_spec(name) is not None


def chosen_peers(text: str) -> list[str]:
    """The peer names in a comma-separated option; a wrong or missing one ends the program with a word on it."""
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in PEERS:
            raise SystemExit(f"there is no peer {name!r}; there are {', '.join(PEERS)}")
        if not installed(name):
            raise SystemExit(f"{name} is not installed: pip install 'engram-stream[bench]'")
    return names

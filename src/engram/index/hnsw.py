"""`HnswIndex`, the typed face of the native graph: checks arguments, names errors, and nothing else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram import _core
from engram.errors import CorruptData, InvalidInput
from engram.limits import DIMENSION_MAX, DIMENSION_MIN, EF_MAX, RESULTS_MAX
from engram.spaces import METRICS, Metric

Quality = Literal["fast", "balanced", "accurate"]


@dataclass(frozen=True, slots=True)
class _Preset:
    m: int
    degree_max: int
    ef_construction: int


_PRESETS: Final[dict[str, _Preset]] = {
    "fast": _Preset(m=16, degree_max=47, ef_construction=32),
    "balanced": _Preset(m=16, degree_max=47, ef_construction=48),
    "accurate": _Preset(m=24, degree_max=63, ef_construction=96),
}
_NO_SNAPSHOT: Final = 2**64 - 1
_LINK_BATCH: Final = 512
_ENCODE_BATCH: Final = 2048
_FOLLOW_WAIT_S: Final = 0.001
_M_RANGE: Final = (4, 63)
_EF_CONSTRUCTION_RANGE: Final = (8, 512)


@dataclass(frozen=True, slots=True)
class GraphStatistics:
    """What the graph looks like, found by visiting all of it.

    Parameters
    ----------
    slots, linked, dead
        Vectors published, linked into the graph, and no longer live.
    links
        All neighbour entries together.
    entries
        Nodes that searches may begin at.
    unreachable
        Linked nodes that no path from the entries leads to; 0 in a sound graph.
    invalid_links
        Links to oneself, to nothing, or twice to the same; 0 in a sound graph.
    degrees
        ``degrees[d]`` is the number of nodes with ``d`` links.
    """

    slots: int
    linked: int
    dead: int
    links: int
    entries: int
    unreachable: int
    invalid_links: int
    degrees: tuple[int, ...]


class HnswIndex:
    """A navigable graph over vectors that searches may use while it is being built.

    Vectors carry generations, increasing numbers from 1. All methods release the interpreter lock and may be called
    from any thread, except that `append`, `publish` and `delete` belong to one writer at a time; `add` takes care of
    that by itself.

    Parameters
    ----------
    dim
        Length of the vectors, 8 to 4096.
    metric
        ``"cosine"``, ``"ip"`` or ``"l2"``. Scores are cosine, inner product, or minus the squared Euclidean distance.
    quality
        ``"fast"``, ``"balanced"`` or ``"accurate"``: how much work goes into each vector's links.
    m, ef_construction
        Override the preset: links a vector chooses for itself (4..63), candidates it chooses from (8..512).

    Raises
    ------
    InvalidInput
        If a parameter is outside its range.
    """

    def __init__(
        self,
        dim: int,
        metric: Metric = "cosine",
        quality: Quality = "balanced",
        *,
        m: int | None = None,
        ef_construction: int | None = None,
    ) -> None:
        _check_range("dim", dim, DIMENSION_MIN, DIMENSION_MAX)
        _check_choice("metric", metric, METRICS)
        _check_choice("quality", quality, get_args(Quality))
        preset = _PRESETS[quality]
        links = preset.m if m is None else m
        _check_range("m", links, *_M_RANGE)
        candidates = preset.ef_construction if ef_construction is None else ef_construction
        _check_range("ef_construction", candidates, *_EF_CONSTRUCTION_RANGE)
        # Lists may grow to three times the choice before they are pruned, which spares most prunings; 47 and 63 fill
        # whole cache lines together with their length.
        degree_max = preset.degree_max if m is None else min(127, -(-(3 * links) // 16) * 16 - 1)
        self._native = _core.Index(dim, metric, links, degree_max, candidates)
        self._writing = threading.Lock()

    def add(self, vectors: ArrayLike, threads: int | None = None) -> int:
        """Append vectors, make them visible and link them; return the generation of the first.

        Parameters
        ----------
        vectors
            float32, shape ``(n, dim)``.
        threads
            Threads to link with; default: one per core.

        Raises
        ------
        InvalidInput
            If the shape does not fit or a number is not finite.
        """
        matrix = self._matrix("vectors", vectors)
        if not np.isfinite(matrix).all():
            raise InvalidInput("vectors hold NaN or Inf", code="not_finite", field="vectors", limit="finite")
        with self._writing, _Helpers(self._native, len(matrix), threads or os.cpu_count() or 1):
            first = self._native.visible_generation + 1
            # Piece by piece, so that linking begins with the first piece while the others are still being encoded.
            for start in range(0, len(matrix), _ENCODE_BATCH):
                piece = matrix[start : start + _ENCODE_BATCH]
                self._native.append(piece, first + start, None)
                self._native.publish(first + start + len(piece) - 1)
        return first

    def append(
        self, vectors: NDArray[np.float32], first_generation: int, raw: NDArray[np.float32] | None = None
    ) -> None:
        """Encode vectors under the generations from `first_generation` on, without making them visible.

        Parameters
        ----------
        vectors
            float32, shape ``(n, dim)``, C-contiguous.
        raw
            Where the same vectors will lie as long as the index lives (a mapped file, or `vectors` itself); it is not
            read before a search ranks by it. None: the index keeps a copy.
        """
        matrix = self._matrix("vectors", vectors)
        self._native.append(matrix, first_generation, None if raw is None else self._matrix("raw", raw))

    def publish(self, generation: int) -> None:
        """Make everything up to `generation` visible to searches without a snapshot."""
        self._native.publish(generation)

    def delete(self, generations: ArrayLike, at: ArrayLike) -> int:
        """End the life of versions: snapshots from `at` on do not see them. Returns how many were alive.

        Parameters
        ----------
        generations
            uint64, shape ``(n,)``; unknown and dead ones are left alone.
        at
            One generation for all, or one each.
        """
        versions = np.ascontiguousarray(generations, dtype=np.uint64)
        ends = np.ascontiguousarray(np.broadcast_to(np.asarray(at, dtype=np.uint64), versions.shape))
        return self._native.remove(versions, ends)

    def link(self, count_max: int) -> int:
        """Link up to `count_max` published vectors into the graph; return how many, 0 when there is nothing to do."""
        return self._native.link(count_max)

    def search(
        self,
        queries: ArrayLike,
        k: int = 10,
        ef: int = 64,
        max_generation: int | None = None,
        threads: int = 1,
    ) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        """Find the `k` nearest visible vectors of each query.

        Parameters
        ----------
        queries
            float32, shape ``(n, dim)`` or ``(dim,)``.
        ef
            Candidates kept on the way; more is slower and more exact. At least `k` is used.
        max_generation
            See only versions up to this generation, as it was then; None: everything published.
        threads
            Threads to share many queries among.

        Returns
        -------
        generations, scores
            uint64 and float32, shape ``(n, k)`` (or ``(k,)`` for one query), best first. Missing results have
            generation 0 and score -inf.

        Raises
        ------
        InvalidInput
            If the shape does not fit or `k` or `ef` is out of range.
        """
        _check_range("k", k, 1, RESULTS_MAX)
        _check_range("ef", ef, 1, EF_MAX)
        array = np.asarray(queries, dtype=np.float32)
        matrix = self._matrix("queries", array[None, :] if array.ndim == 1 else array)
        snapshot = _NO_SNAPSHOT if max_generation is None else max_generation
        generations, scores = self._native.search(matrix, k, ef, snapshot, threads)
        return (generations[0], scores[0]) if array.ndim == 1 else (generations, scores)

    def save(self, path: str | os.PathLike[str], *, with_vectors: bool = True) -> int:
        """Write a checkpoint of everything linked; return the generation it covers.

        Linking waits while the lists are copied; appends and searches go on. `with_vectors` leaves out the raw
        vectors if False, for a caller that keeps them elsewhere.
        """
        return self._native.save(os.fspath(path), with_vectors)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        vectors: Iterable[tuple[int, NDArray[np.float32]]] | None = None,
    ) -> HnswIndex:
        """Open a checkpoint by mapping it.

        Parameters
        ----------
        vectors
            For a checkpoint without raw vectors: blocks of (first generation, float32 array ``(n, dim)``) in
            ascending order that cover all its vectors and stay unchanged as long as the index lives.

        Raises
        ------
        CorruptData
            If the file is not a checkpoint, is damaged, or `vectors` do not cover it.
        """
        index = cls.__new__(cls)
        name = os.fspath(path)
        try:
            if vectors is None:
                index._native = _core.Index.load(name)
            else:
                index._native = _core.Index.load_with_raw(name, list(vectors))
        except _core.CorruptCheckpoint as error:
            raise CorruptData(str(error), code="corrupt_checkpoint", field="path", value=name) from error
        index._writing = threading.Lock()
        return index

    def statistics(self) -> GraphStatistics:
        """Visit the whole graph and report its shape and any damage; linking waits meanwhile."""
        found: dict[str, Any] = self._native.statistics()
        found["degrees"] = tuple(found["degrees"])
        return GraphStatistics(**found)

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self._native.dim

    @property
    def metric(self) -> str:
        """The metric's name."""
        return self._native.metric

    @property
    def visible_generation(self) -> int:
        """The newest generation that searches without a snapshot see."""
        return self._native.visible_generation

    @property
    def indexed_generation(self) -> int:
        """Everything up to this generation is linked into the graph."""
        return self._native.indexed_generation

    @property
    def live_count(self) -> int:
        """Published vectors that are not deleted."""
        return self._native.live

    @property
    def nbytes(self) -> int:
        """Memory reserved for codes, links and own copies of vectors, in bytes."""
        return self._native.nbytes

    def __len__(self) -> int:
        return self._native.size

    def _matrix(self, name: str, vectors: ArrayLike) -> NDArray[np.float32]:
        matrix = np.ascontiguousarray(vectors, dtype=np.float32)
        if matrix.ndim != 2 or matrix.shape[1] != self.dim:
            raise InvalidInput(
                f"{name} have shape {matrix.shape} where (n, {self.dim}) is needed",
                code="dimension_mismatch",
                field=name,
                limit=f"(n, {self.dim})",
                value=matrix.shape,
            )
        return matrix


class _Helpers:
    """Threads that link what is being added; leaving the context joins in and waits for the last of them."""

    def __init__(self, native: _core.Index, count: int, threads: int) -> None:
        self._native = native
        self._encoded = threading.Event()
        wanted = min(threads, -(-count // _LINK_BATCH)) - 1
        self._threads = [threading.Thread(target=self._follow, daemon=True) for _ in range(wanted)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._encoded.set()
        while self._native.link(_LINK_BATCH):
            pass
        for thread in self._threads:
            thread.join()

    def _follow(self) -> None:
        while True:
            last = self._encoded.is_set()
            if self._native.link(_LINK_BATCH) == 0:
                if last:
                    return
                self._encoded.wait(_FOLLOW_WAIT_S)


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidInput(
            f"{name} is {value}; it must be within {low}..{high}",
            code="out_of_range",
            field=name,
            limit=f"{low}..{high}",
            value=value,
        )


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInput(
            f"{name} is {value!r}; it must be one of {', '.join(allowed)}",
            code="out_of_range",
            field=name,
            limit=", ".join(allowed),
            value=value,
        )

"""`HnswIndex`, the typed Python interface of the native graph: it checks arguments and converts errors."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram import _core
from engram.errors import CorruptData, InvalidInput
from engram.index.checks import as_matrix, as_vector, check_choice, check_range
from engram.index.compaction import Compaction
from engram.index.cues import CueTable
from engram.index.damage import corrupt_checkpoint, report
from engram.index.link_helpers import LinkHelpers
from engram.index.quality import PRESETS, Quality
from engram.index.statistics import GraphStatistics
from engram.index.walk import Walk
from engram.model.limits import DIMENSION_MAX, DIMENSION_MIN, EF_MAX, RESULTS_MAX
from engram.model.spaces import METRICS, Metric
from engram.model.vectors import as_float32

_RAW_TYPES: Final = (np.dtype(np.float32), np.dtype(np.float16))
_NO_SNAPSHOT: Final = 2**64 - 1
_ENCODE_BATCH: Final = 2048
_M_RANGE: Final = (4, 63)
_EF_CONSTRUCTION_RANGE: Final = (8, 512)


RawVectors = NDArray[np.float32] | NDArray[np.float16]
RawBlock = tuple[int, RawVectors] | tuple[int, RawVectors, NDArray[np.uint32] | None]
_Deletions = tuple[NDArray[np.uint64], NDArray[np.uint64]]


def _snapshot(max_generation: int | None) -> int:
    return _NO_SNAPSHOT if max_generation is None else check_range("max_generation", max_generation, 0, _NO_SNAPSHOT)


def _words(allowed: NDArray[np.uint64] | None) -> NDArray[np.uint64] | None:
    return None if allowed is None else np.ascontiguousarray(allowed, dtype=np.uint64)


class HnswIndex:
    """A navigable graph over vectors that can be searched while it is being built.

    Each vector has a generation; generations start at 1 and increase. All methods release the interpreter lock. Any
    thread may call any method, except that `append`, `publish`, `discard` and `delete` belong to one writer at a time.
    `add` makes its callers wait for each other.

    Parameters
    ----------
    dim
        Length of the vectors, 8 to 4096.
    metric
        ``"cosine"``, ``"ip"`` or ``"l2"``. Scores: cosine, inner product, or minus the squared Euclidean distance.
    quality
        ``"fast"``, ``"balanced"`` or ``"accurate"``: how much work goes into the links of each vector.
    m, ef_construction
        Override the preset: links that a new vector chooses (4..63), and candidates it chooses from (8..512).

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
        check_range("dim", dim, DIMENSION_MIN, DIMENSION_MAX)
        check_choice("metric", metric, METRICS)
        check_choice("quality", quality, get_args(Quality))
        preset = PRESETS[quality]
        links = preset.m if m is None else m
        check_range("m", links, *_M_RANGE)
        candidates = preset.ef_construction if ef_construction is None else ef_construction
        check_range("ef_construction", candidates, *_EF_CONSTRUCTION_RANGE)
        # A list may grow to three times `m` before it is pruned, which avoids most prunings. A list of 47 or 63 links
        # and its length fill whole cache lines.
        degree_max = preset.degree_max if m is None else min(127, -(-(3 * links) // 16) * 16 - 1)
        self._begin(_core.Index(dim, metric, links, degree_max, candidates))

    def _begin(self, native: _core.Index) -> None:
        self._native = native
        self._writing = threading.Lock()
        # Keeps the writer out of a compaction's last step. Searches take no lock: they use the index they begin on.
        self._moving = threading.Lock()
        self._compacting = threading.Lock()
        self._deleted_meanwhile: deque[_Deletions] = deque(maxlen=0)
        self._indexed_before = 0

    def add(self, vectors: ArrayLike, threads: int | None = None) -> int:
        """Append vectors, make them visible and link them; return the generation of the first one.

        Parameters
        ----------
        vectors
            float32, shape ``(n, dim)``.
        threads
            Number of linking threads; None: one per core.

        Raises
        ------
        InvalidInput
            If the shape does not fit or a number is not finite.
        """
        matrix = as_matrix("vectors", vectors, self.dim)
        if not np.isfinite(matrix).all():
            raise InvalidInput("vectors hold NaN or Inf", code="not_finite", field="vectors", limit="finite")
        with self._writing, LinkHelpers(self._native, len(matrix), threads or os.cpu_count() or 1):
            first = self._native.visible_generation + 1
            # Linking begins with the first piece while later pieces are still being encoded.
            for start in range(0, len(matrix), _ENCODE_BATCH):
                piece = matrix[start : start + _ENCODE_BATCH]
                self._native.append(piece, first + start, None, None)
                self._native.publish(first + start + len(piece) - 1)
        return first

    def append(
        self,
        vectors: NDArray[np.float32],
        first_generation: int,
        raw: RawVectors | None = None,
        sums: NDArray[np.uint32] | None = None,
    ) -> None:
        """Encode vectors under the generations from `first_generation` on, without making them visible.

        Parameters
        ----------
        vectors
            float32, shape ``(n, dim)``, C-contiguous.
        raw
            The same vectors as float32 or float16, in memory that stays valid as long as the index lives: a mapped
            file, or `vectors` itself. A search reads `raw` only when it ranks by it. None: the index keeps a copy.
        sums
            uint32, shape ``(n,)``: CRC-32C of each row's bytes in `raw`, which a search verifies before it ranks by the
            row. None: float32 is summed from `vectors`; float16 is summed from `raw`, which is read for this.

        Raises
        ------
        InvalidInput
            If the shapes do not fit or `raw` has another type.
        """
        matrix = as_matrix("vectors", vectors, self.dim)
        if raw is not None and (raw.shape != matrix.shape or raw.dtype not in _RAW_TYPES):
            raise InvalidInput(
                f"raw has shape {raw.shape} of {raw.dtype} where {matrix.shape} of float32 or float16 is needed",
                code="dimension_mismatch",
                field="raw",
                limit=matrix.shape,
                value=raw.shape,
            )
        with self._moving:
            self._native.append(matrix, first_generation, raw, sums)

    def publish(self, generation: int) -> None:
        """Make all versions up to `generation` visible to searches without a snapshot."""
        with self._moving:
            self._native.publish(generation)

    def discard(self) -> None:
        """Discard the vectors that were appended and not published."""
        with self._moving:
            self._native.discard()

    def delete(self, generations: ArrayLike, at: ArrayLike) -> int:
        """End versions, so that snapshots from `at` on do not see them; return how many of them were alive.

        Parameters
        ----------
        generations
            uint64, shape ``(n,)``: the versions. Unknown and dead ones are ignored.
        at
            uint64: the generation that ends all of them, or one for each, shape ``(n,)``.
        """
        versions = np.ascontiguousarray(generations, dtype=np.uint64)
        ends = np.ascontiguousarray(np.broadcast_to(np.asarray(at, dtype=np.uint64), versions.shape))
        with self._moving:
            self._deleted_meanwhile.append((versions, ends))
            return self._native.remove(versions, ends)

    def link(self, count_max: int, *, background: bool = False) -> int:
        """Link up to `count_max` published vectors into the graph; return how many were linked, 0 if none are left.

        With `background`, a native thread of low priority links and the calling thread waits for it. Python's locks,
        the interpreter lock above all, are never held at low priority. `background` makes a difference only on Linux.
        """
        return self._native.link(count_max, background)

    def search(
        self,
        queries: ArrayLike,
        k: int = 10,
        ef: int = 64,
        max_generation: int | None = None,
        threads: int = 1,
        allowed: NDArray[np.uint64] | None = None,
        damaged: list[int] | None = None,
    ) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        """Find the `k` nearest visible vectors of each query.

        Parameters
        ----------
        queries
            float32, shape ``(n, dim)`` or ``(dim,)``.
        ef
            Number of candidates that the search keeps; a larger number is slower and more exact. At least `k` is used.
        max_generation
            Search the versions that were alive at this generation; None: all published versions that are alive.
        threads
            Number of threads that share the queries.
        allowed
            uint64 bitmap of the generations that may be found: bit ``g % 64`` of word ``g // 64``. The number of set
            bits decides whether the graph is walked or the allowed vectors are scanned.
        damaged
            Receives the generations that are left out because their vectors no longer match their checksums.

        Returns
        -------
        tuple[NDArray[np.uint64], NDArray[np.float32]]
            Generations and scores, shape ``(n, k)``, or ``(k,)`` for one query of shape ``(dim,)``; best first. Missing
            results have generation 0 and score -inf.

        Raises
        ------
        InvalidInput
            If the shape does not fit or `k` or `ef` is out of range.
        CorruptData
            If a vector is damaged and `damaged` is None, or pages of the mapped checkpoint are lost.
        """
        check_range("k", k, 1, RESULTS_MAX)
        check_range("ef", ef, 1, EF_MAX)
        array = as_float32(queries, "queries")
        matrix = as_matrix("queries", array[None, :] if array.ndim == 1 else array, self.dim)
        snapshot = _snapshot(max_generation)
        try:
            generations, scores, lost = self._native.search(matrix, k, ef, snapshot, _words(allowed), threads)
        except _core.CorruptCheckpoint as error:
            raise corrupt_checkpoint(error) from error
        report(lost, damaged)
        return (generations[0], scores[0]) if array.ndim == 1 else (generations, scores)

    def walk(
        self,
        query: ArrayLike,
        max_generation: int | None = None,
        allowed: NDArray[np.uint64] | None = None,
    ) -> Walk:
        """Begin a search whose results are taken piece by piece; the parameters are those of `search`.

        Raises
        ------
        InvalidInput
            If the shape does not fit.
        """
        snapshot = _snapshot(max_generation)
        return Walk(self._native.walk(as_vector("query", query, self.dim), snapshot, _words(allowed)))

    def match(
        self, cues: CueTable, first_generation: int, last_generation: int, damaged: list[int] | None = None
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float32]]:
        """Find which cues match the published versions of the generations ``first_generation..last_generation``.

        Returns
        -------
        tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float32]]
            Key, generation and score of each match, each of shape ``(n,)``, in the order of generations.

        Raises
        ------
        CorruptData
            If a vector is damaged and `damaged` is None, or pages of the mapped checkpoint are lost.
        """
        try:
            keys, generations, scores, lost = self._native.match(cues.native, first_generation, last_generation)
        except _core.CorruptCheckpoint as error:
            raise corrupt_checkpoint(error) from error
        report(lost, damaged)
        return keys, generations, scores

    def compact(self, horizon: int | None = None, threads: int = 1, go_on: Callable[[], bool] = lambda: True) -> int:
        """Move the live versions to a fresh graph, so that dead versions cost neither memory nor time any more.

        Searches and the writer continue meanwhile. Walks that have begun keep the view they began with. Both graphs are
        in memory until the move is done.

        Parameters
        ----------
        horizon
            Drop versions that ended at or before this generation; older snapshots then miss them. None: all dead ones.
        threads
            Number of linking threads.
        go_on
            Asked now and then; the first False abandons the move and changes nothing.

        Returns
        -------
        int
            Number of dropped versions.
        """
        with self._compacting:
            with self._moving:
                self._deleted_meanwhile = deque()
            try:
                move = Compaction(self._native, self.visible_generation if horizon is None else horizon)
                if not move.prepare(threads, go_on):
                    return 0
                with self._moving:
                    # The writer may have appended vectors that it has not published yet.
                    move.take_over(all=True)
                    for versions, ends in self._deleted_meanwhile:
                        move.new.remove(versions, ends)
                    self._indexed_before = self.indexed_generation
                    self._native = move.new
                return move.old.size - move.new.size
            finally:
                self._deleted_meanwhile = deque(maxlen=0)

    def save(self, path: str | os.PathLike[str], *, with_vectors: bool = True, background: bool = False) -> int:
        """Write a checkpoint of everything linked; return the generation it covers.

        Linking waits while the lists are copied; appends and searches continue. `with_vectors=False` leaves out the raw
        vectors, for a caller that keeps them elsewhere. `background` is as for `link`.

        Raises
        ------
        CorruptData
            If a vector to be written is damaged, or pages of the mapped checkpoint are lost. An older file stays.
        """
        target = os.fspath(path)
        # This index may be mapped from `target`, so a new file is written and then renamed.
        beside = f"{target}.new"
        try:
            covered = self._save(beside, with_vectors, background)
            os.replace(beside, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
        return covered

    def save_into(self, descriptor: int, *, with_vectors: bool = True, background: bool = False) -> int:
        """Write a checkpoint as `save` does, replacing the content of a file that the caller has opened and keeps."""
        return self._save(descriptor, with_vectors, background)

    def _save(self, place: int | str, with_vectors: bool, background: bool) -> int:
        try:
            return self._native.save(place, with_vectors, background)
        except _core.DamagedVector as error:
            raise CorruptData(str(error), field="vector") from error
        except _core.CorruptCheckpoint as error:
            raise corrupt_checkpoint(error) from error

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | int,
        vectors: Iterable[RawBlock] | None = None,
    ) -> HnswIndex:
        """Open a checkpoint by mapping it.

        Parameters
        ----------
        path
            The file's path, or its descriptor. The caller keeps the descriptor and may close it afterwards.
        vectors
            For a checkpoint without raw vectors: blocks in ascending order that cover all its vectors and stay
            unchanged as long as the index lives. A block is (first generation, float32 or float16 array ``(n, dim)``,
            CRC-32C of each row's bytes). A block without checksums is read completely and taken as correct.

        Raises
        ------
        CorruptData
            If the file is not a checkpoint, is damaged, or `vectors` do not cover it.
        """
        index = cls.__new__(cls)
        place = path if isinstance(path, int) else os.fspath(path)
        try:
            if vectors is None:
                index._begin(_core.Index.load(place))
            else:
                blocks = [(block[0], block[1], block[2] if len(block) > 2 else None) for block in vectors]
                index._begin(_core.Index.load_with_raw(place, blocks))
        except _core.CorruptCheckpoint as error:
            raise corrupt_checkpoint(error, str(place)) from error
        return index

    def statistics(self) -> GraphStatistics:
        """Visit the whole graph and return its shape and any damage to its links; linking waits meanwhile."""
        found: dict[str, Any] = self._native.statistics()
        found["degrees"] = tuple(found["degrees"])
        return GraphStatistics(**found)

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self._native.dim

    @property
    def metric(self) -> str:
        """Name of the metric."""
        return self._native.metric

    @property
    def visible_generation(self) -> int:
        """Newest generation that searches without a snapshot see."""
        return self._native.visible_generation

    @property
    def indexed_generation(self) -> int:
        """Generation up to which everything is linked into the graph."""
        # After a compaction a short tail has to be linked again. The watermark must not go back meanwhile.
        return max(self._native.indexed_generation, self._indexed_before)

    @property
    def dead_count(self) -> int:
        """Number of deleted versions that still take memory; `compact` drops them."""
        native = self._native
        return native.size - native.live

    @property
    def live_count(self) -> int:
        """Number of published vectors that are not deleted."""
        return self._native.live

    @property
    def nbytes(self) -> int:
        """Memory reserved for codes, links and the index's own copies of vectors, in bytes."""
        return self._native.nbytes

    @property
    def lost_pages(self) -> int:
        """Number of unreadable pages of the mapped checkpoint; if not 0, the index is damaged and must be rebuilt."""
        return self._native.lost_pages

    def __len__(self) -> int:
        return self._native.size

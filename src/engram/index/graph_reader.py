"""What an index can be asked: searches, walks, matches of cues, watermarks and statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram import _core
from engram.errors import InvalidInput, NotFound
from engram.index.checks import (
    WORD_BITS,
    as_generation,
    as_generations,
    as_rows,
    as_threads,
    as_vector,
    as_words,
    check_choice,
    check_damaged,
    check_kind,
    check_range,
    check_snapshot,
    not_finite,
)
from engram.index.cues import CueTable
from engram.index.current_graph import CurrentGraph
from engram.index.damage import corrupt_checkpoint, joined, report
from engram.index.statistics import GraphStatistics
from engram.index.walk import Walk
from engram.model.limits import EF_MAX, RESULTS_MAX


class GraphReader:
    """The part of `HnswIndex` that only reads. Any thread may call any method.

    Parameters
    ----------
    graph
        The native index in use.
    """

    def __init__(self, graph: CurrentGraph) -> None:
        self._graph = graph

    @property
    def _native(self) -> _core.Index:
        return self._graph.native

    def search(
        self,
        queries: ArrayLike,
        k: int = 10,
        ef: int = 64,
        max_generation: int | None = None,
        threads: int = 1,
        allowed: NDArray[np.uint64] | None = None,
        damaged: list[int] | None = None,
        allowed_begin: int = 0,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
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
            Number of threads that share the queries. A single query has the help of a second thread where many vectors
            are scanned.
        allowed
            uint64 bitmap of the generations that may be found: bit ``g % 64`` of word ``(g - allowed_begin) // 64``.
            The number of set bits decides whether the graph is walked or the allowed vectors are scanned.
        damaged
            Receives the generations that are left out because their vectors no longer match their checksums.
        allowed_begin
            The generation of the first bit of `allowed`, a multiple of 64; none before it may be found.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.float32]]
            Generations and scores, shape ``(n, k)``, or ``(k,)`` for one query of shape ``(dim,)``; best first. Missing
            results have generation 0 and score -inf.

        Raises
        ------
        InvalidInput
            If the shape does not fit, a number is not finite, or `k` or `ef` is out of range.
        CorruptData
            If a vector is damaged and `damaged` is None, or pages of the mapped checkpoint are lost.
        """
        k, ef = check_range("k", k, 1, RESULTS_MAX), check_range("ef", ef, 1, EF_MAX)
        threads = as_threads(threads)
        check_damaged(damaged)
        native = self._native
        rows, is_one = as_rows("queries", queries, native.dim)
        snapshot = check_snapshot(max_generation)
        words, begin = as_words(allowed), _first_of(allowed_begin)
        try:
            generations, scores, lost = native.search(rows, k, ef, snapshot, words, threads, begin)
        except _core.NotFinite:
            raise not_finite("queries") from None
        except _core.CorruptCheckpoint as error:
            raise corrupt_checkpoint(error) from error
        report(joined(lost, self._unreadable(snapshot, words, begin)), damaged)
        return (generations[0], scores[0]) if is_one else (generations, scores)

    def walk(
        self,
        query: ArrayLike,
        max_generation: int | None = None,
        allowed: NDArray[np.uint64] | None = None,
        allowed_begin: int = 0,
    ) -> Walk:
        """Begin a search whose results are taken piece by piece; the parameters are those of `search`.

        Raises
        ------
        InvalidInput
            If the shape does not fit or a number is not finite.
        """
        snapshot = check_snapshot(max_generation)
        vector = as_vector("query", query, self.dim)
        words, begin = as_words(allowed), _first_of(allowed_begin)
        try:
            return Walk(self._native.walk(vector, snapshot, words, begin), self._unreadable(snapshot, words, begin))
        except _core.NotFinite:
            raise not_finite("query") from None

    def match(
        self, cues: CueTable, first_generation: int, last_generation: int, damaged: list[int] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Find which cues match the published versions of the generations ``first_generation..last_generation``.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
            Key, generation and score of each match, each of shape ``(n,)``, in the order of generations.

        Raises
        ------
        InvalidInput
            If the cues are of another dimension or metric than the index, or another argument is none.
        CorruptData
            If a vector is damaged and `damaged` is None, or pages of the mapped checkpoint are lost.
        """
        check_kind("cues", cues, CueTable)
        check_range("dim of the cues", cues.dim, self.dim, self.dim)
        check_choice("metric of the cues", cues.metric, (self.metric,))
        first_generation = as_generation("first_generation", first_generation)
        last_generation = as_generation("last_generation", last_generation)
        check_damaged(damaged)
        try:
            keys, generations, scores, lost = self._native.match(cues.native, first_generation, last_generation)
        except _core.CorruptCheckpoint as error:
            raise corrupt_checkpoint(error) from error
        report(joined(lost, self._graph.unreadable.between(first_generation, last_generation)), damaged)
        return keys, generations, scores

    def vectors(self, generations: ArrayLike, damaged: list[int] | None = None) -> NDArray[np.float32]:
        """Return copies of the vectors of versions that are alive, as they were given.

        Parameters
        ----------
        generations
            int64, shape ``(n,)``: the versions, such as those that `search` has found.
        damaged
            Receives the generations of vectors that no longer match their checksums; their rows are zeros.

        Returns
        -------
        NDArray[np.float32]
            Shape ``(n, dim)``, in the order of `generations`.

        Raises
        ------
        NotFound
            If one is not in the index, or has ended; the error names the first.
        CorruptData
            If a vector is damaged and `damaged` is None, or pages of the mapped checkpoint are lost.
        """
        wanted = as_generations(generations)
        check_damaged(damaged)
        try:
            vectors, live, lost = self._native.vectors(wanted)
        except _core.CorruptCheckpoint as error:
            raise corrupt_checkpoint(error) from error
        unreadable = np.intersect1d(wanted, self._unreadable(None, None, 0))
        missing = wanted[(live == 0) & ~np.isin(wanted, unreadable)]
        if len(missing):
            raise NotFound(f"no version {missing[0]} is alive in the index", field="generations", value=missing[0])
        report(joined(lost, unreadable), damaged)
        return vectors

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
        return self._graph.indexed_generation

    @property
    def dead_count(self) -> int:
        """Number of deleted versions that still take memory; `compact` drops them."""
        native = self._native
        return native.size - native.live

    def droppable_count(self, horizon: int | None = None) -> int:
        """Return the number of versions that `compact` would drop. This looks at each version.

        Parameters
        ----------
        horizon
            As for `HnswIndex.compact`.
        """
        native = self._native
        return native.droppable(native.visible_generation if horizon is None else as_generation("horizon", horizon))

    @property
    def live_count(self) -> int:
        """Number of published vectors that are not deleted."""
        return self._native.live

    @property
    def nbytes(self) -> int:
        """Memory reserved for codes, links and the index's own copies of vectors, in bytes."""
        return self._graph.nbytes

    @property
    def remembers_erased(self) -> bool:
        """Whether the codes, and with them checkpoints, tell something of a vector that was erased or dropped.

        Where the metric allows it, codes are relative to the mean of the first vectors. If these were few, the mean
        says much about each of them. Only a graph that is built anew forgets it.
        """
        return self._native.remembers_erased

    @property
    def unreadable_count(self) -> int:
        """Number of versions that the index lacks because their vectors could not be read; `save` refuses with any."""
        return len(self._graph.unreadable)

    @property
    def lost_pages(self) -> int:
        """Number of unreadable pages of the mapped checkpoint; if not 0, the index is damaged and must be rebuilt."""
        return self._native.lost_pages

    def __len__(self) -> int:
        return self._native.size

    def __repr__(self) -> str:
        return f"{type(self).__name__}(dim={self.dim}, metric={self.metric!r}, count={len(self)})"

    def _unreadable(
        self, snapshot: int | None, allowed: NDArray[np.uint64] | None, allowed_begin: int
    ) -> NDArray[np.int64]:
        """Return the versions that a search might find if their vectors could be read."""
        seen_at = self.visible_generation if snapshot is None else snapshot
        return self._graph.unreadable.seen(seen_at, allowed, allowed_begin)


def _first_of(begin: object) -> int:
    """Return the generation of the first bit of a bitmap; raises `InvalidInput` if a bitmap cannot begin with it."""
    generation = as_generation("allowed_begin", begin)
    if generation % WORD_BITS:
        raise InvalidInput(
            f"allowed_begin is {generation}; a bitmap begins with a whole word",
            code="out_of_range",
            field="allowed_begin",
            limit=f"a multiple of {WORD_BITS}",
            value=generation,
        )
    return generation

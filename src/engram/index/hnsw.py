"""`HnswIndex`, the typed Python interface of the native graph: it checks arguments and converts errors."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram import _core
from engram.index import checkpoint_file
from engram.index.checkpoint_file import RawBlock, as_blocks, as_memory
from engram.index.checks import (
    as_descriptor,
    as_generation,
    as_generations,
    as_matrix,
    as_path,
    as_place,
    as_switch,
    as_threads,
    check_call,
    check_choice,
    check_finite,
    check_range,
    wrong_shape,
)
from engram.index.current_graph import CurrentGraph
from engram.index.damage import check_lacks_nothing
from engram.index.graph_reader import GraphReader
from engram.index.link_helpers import LinkHelpers
from engram.index.quality import Quality, choose_preset
from engram.index.row_checks import RawVectors, as_row_generations, as_sums, check_raw, next_generations
from engram.model.limits import DIMENSION_MAX, DIMENSION_MIN
from engram.model.spaces import METRICS, Metric

_ENCODE_BATCH: Final = 2048


class HnswIndex(GraphReader):
    """A navigable graph over vectors that can be searched while it is being built.

    Each vector has a generation; generations start at 1 and increase. All methods release the interpreter lock. Any
    thread may call any method, except that `append`, `publish`, `discard` and `delete` belong to one writer at a time.
    `add` makes its callers wait for each other.

    Parameters
    ----------
    dim
        Length of the vectors, 1 to 4096.
    metric
        Name of the metric, such as ``"cosine"``, which decides what a score is.
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
        dim = check_range("dim", dim, DIMENSION_MIN, DIMENSION_MAX)
        check_choice("metric", metric, METRICS)
        preset = choose_preset(quality, m, ef_construction)
        self._begin(_core.Index(dim, metric, preset.m, preset.degree_max, preset.ef_construction))

    def _begin(self, native: _core.Index) -> None:
        super().__init__(CurrentGraph(native))
        self._writing = threading.Lock()

    def add(self, vectors: ArrayLike, threads: int | None = None, generations: ArrayLike | None = None) -> int:
        """Append vectors, make them visible and link them; return the generation of the first one.

        Parameters
        ----------
        vectors
            float32, shape ``(n, dim)``.
        threads
            Number of linking threads; None: one per core.
        generations
            int64, shape ``(n,)``, rising, and above all before: labels of your own. None: there are no gaps.

        Raises
        ------
        InvalidInput
            If the shape does not fit, a number is not finite, or the generations do not rise.
        """
        matrix = check_finite("vectors", as_matrix("vectors", vectors, self.dim))
        helpers = (os.cpu_count() or 1) if threads is None else as_threads(threads)
        with self._writing:
            numbers = next_generations(self._native.visible_generation, generations, len(matrix))
            with LinkHelpers(self._graph, len(matrix), helpers):
                # Linking begins with the first piece while later pieces are still being encoded.
                for start in range(0, len(matrix), _ENCODE_BATCH):
                    piece, given = matrix[start : start + _ENCODE_BATCH], numbers[start : start + _ENCODE_BATCH]
                    with self._graph.changing:
                        self._native.append(piece, int(given[0]), None, None, given)
                        self._native.publish(int(given[-1]))
            return int(numbers[0]) if len(numbers) else self._native.visible_generation + 1

    def append(
        self,
        vectors: NDArray[np.float32],
        first_generation: int,
        raw: RawVectors | None = None,
        sums: NDArray[np.uint32] | None = None,
        generations: NDArray[np.int64] | None = None,
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
        generations
            int64, shape ``(n,)``, rising: the generation of each vector. None: there are no gaps.

        Raises
        ------
        InvalidInput
            If the shapes do not fit, `raw` has another type, or another argument is none.
        """
        matrix = as_matrix("vectors", vectors, self.dim)
        first_generation = as_generation("first_generation", first_generation, low=1)
        if raw is not None:
            check_raw(raw, matrix.shape)
            raw = cast(RawVectors, np.ascontiguousarray(raw))
        sums = as_sums(sums, len(matrix))
        generations = as_row_generations(generations, len(matrix))
        with self._graph.changing:
            self._native.append(matrix, first_generation, raw, sums, generations)

    def append_unreadable(self, generations: ArrayLike) -> None:
        """Note versions whose vectors cannot be read, so that no search passes them over in silence.

        Nobody knows how near they are to anything: every search, walk and match that might find them leaves them out as
        damaged. They are no part of the graph, count as published, and end and are erased like others.

        Parameters
        ----------
        generations
            int64, shape ``(n,)``: the versions. None of them is in the index.
        """
        with self._graph.changing:
            self._graph.unreadable.add(as_generations(generations))

    def centre_on(self, vectors: NDArray[np.float32], last_generation: int) -> None:
        """Code vectors relative to the mean of the first ones, if the metric allows it, before any is appended.

        Without this, the vectors of the first `append` make the centre, which may be few. Afterwards it does nothing.

        Parameters
        ----------
        vectors
            float32, shape ``(n, dim)``, C-contiguous: the first vectors that will be appended.
        last_generation
            The generation that the last of them will have.

        Raises
        ------
        InvalidInput
            If the shape does not fit, or the generation is none.
        """
        matrix = as_matrix("vectors", vectors, self.dim)
        last_generation = as_generation("last_generation", last_generation, low=1)
        with self._graph.changing:
            self._native.centre_on(matrix, last_generation)

    def publish(self, generation: int) -> None:
        """Make all versions up to `generation` visible to searches without a snapshot."""
        generation = as_generation("generation", generation)
        with self._graph.changing:
            self._native.publish(generation)

    def discard(self) -> None:
        """Discard the vectors that were appended and not published."""
        with self._graph.changing:
            self._native.discard()

    def delete(self, generations: ArrayLike, at: ArrayLike) -> int:
        """End versions, so that snapshots from `at` on do not see them; return how many of them were alive.

        Parameters
        ----------
        generations
            int64, shape ``(n,)``: the versions. Unknown and dead ones are ignored.
        at
            int64: the generation that ends all of them, or one for each, shape ``(n,)``.
        """
        versions, ends = as_generations(generations), as_generations(at, "at")
        if len(ends) not in {1, len(versions)}:
            raise wrong_shape("at", ends.shape, f"({len(versions)},)")
        return self._graph.delete(versions, np.ascontiguousarray(np.broadcast_to(ends, versions.shape)))

    def erase(self, generations: ArrayLike) -> None:
        """Hide versions from all snapshots, also those that have ended; return when no search finds them any more.

        Checkpoints that are written afterwards have nothing of their vectors.

        Parameters
        ----------
        generations
            int64, shape ``(n,)``: the versions, which are published. Unknown ones are ignored.
        """
        self._graph.erase(as_generations(generations))

    def link(self, count_max: int, *, background: bool = False) -> int:
        """Link up to `count_max` published vectors into the graph; return how many were linked, 0 if none are left.

        With `background`, a native thread of low priority links and the calling thread waits for it. Python's locks,
        the interpreter lock above all, are never held at low priority. `background` makes a difference only on Linux.
        """
        return self._native.link(as_generation("count_max", count_max), as_switch("background", background))

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
        if horizon is not None:
            horizon = as_generation("horizon", horizon)
        check_call("go_on", go_on)
        return self._graph.compact(horizon, as_threads(threads), go_on)

    def relocate(
        self,
        first_generation: int,
        last_generation: int,
        vectors: Iterable[RawBlock],
        retired: Sequence[NDArray[np.uint8]],
    ) -> None:
        """Use the raw vectors of a range of generations at another place.

        When this returns, no search reads them at the old place, unless it is a walk on a graph that was compacted.

        Parameters
        ----------
        first_generation, last_generation
            The range.
        vectors
            Where they are now; blocks as for `load`. Versions in the range that are left out must have ended before all
            snapshots that are still in use. A search that ranks them nevertheless reports them as damaged.
        retired
            The memory at the old place, which the index no longer keeps alive.
        """
        first = as_generation("first_generation", first_generation)
        last = as_generation("last_generation", last_generation)
        self._graph.relocate(first, last, checkpoint_file.given(as_blocks(vectors)), as_memory(retired))

    def save(self, path: str | os.PathLike[str], *, with_vectors: bool = True, background: bool = False) -> int:
        """Write a checkpoint of everything linked; return the generation it covers.

        Linking waits while the lists are copied; appends and searches continue. `with_vectors=False` leaves out the raw
        vectors, for a caller that keeps them elsewhere. `background` is as for `link`.

        Raises
        ------
        CorruptData
            If a vector to be written is damaged or could not be read, or pages of the mapped checkpoint are lost. An
            older file stays.
        """
        check_lacks_nothing(self.unreadable_count)
        with_vectors, background = as_switch("with_vectors", with_vectors), as_switch("background", background)
        return checkpoint_file.replace(self._native, as_path(path), with_vectors, background)

    def save_into(self, descriptor: int, *, with_vectors: bool = True, background: bool = False) -> int:
        """Write a checkpoint as `save` does, replacing the content of a file that the caller has opened and keeps."""
        check_lacks_nothing(self.unreadable_count)
        with_vectors, background = as_switch("with_vectors", with_vectors), as_switch("background", background)
        descriptor = as_descriptor("descriptor", descriptor)
        return checkpoint_file.write(self._native, descriptor, with_vectors, background)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | int,
        vectors: Iterable[RawBlock] | None = None,
        dropped: int = 0,
    ) -> HnswIndex:
        """Open a checkpoint by mapping it.

        Parameters
        ----------
        path
            The file's path, or its descriptor. The caller keeps the descriptor and may close it afterwards.
        vectors
            For a checkpoint without raw vectors: blocks in ascending order that cover all its vectors and stay
            unchanged as long as the index lives. A block is (first generation, float32 or float16 array ``(n, dim)``,
            CRC-32C of each row's bytes). A block without checksums is read completely and taken as correct. If there
            are gaps, the generation of each row follows, int64, shape ``(n,)``, rising.
        dropped
            Vectors with generations up to this one may be missing from `vectors`. They are hidden from all snapshots.

        Raises
        ------
        CorruptData
            If the file is not a checkpoint, is damaged, or `vectors` do not cover it.
        """
        index = cls.__new__(cls)
        dropped = as_generation("dropped", dropped)
        index._begin(checkpoint_file.read(as_place(path), None if vectors is None else as_blocks(vectors), dropped))
        return index

    def __reduce__(self) -> tuple[Any, ...]:
        # What is published is linked first, because a checkpoint has what is linked.
        check_lacks_nothing(self.unreadable_count)
        while self.link(_ENCODE_BATCH):
            pass
        return _unpickled, (checkpoint_file.as_bytes(self._native),)


def _unpickled(data: bytes) -> HnswIndex:
    index = HnswIndex.__new__(HnswIndex)
    index._begin(checkpoint_file.from_bytes(data))
    return index

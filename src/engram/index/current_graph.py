"""The native index in use, and its replacement by a compacted one while the writer and searches go on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.index.checkpoint_file import Blocks
from engram.index.compaction import Compaction, link_tail
from engram.index.unreadable import UnreadableVersions

_Deletions = tuple[NDArray[np.int64], NDArray[np.int64]]


class CurrentGraph:
    """The native index in use.

    Searches take no lock: they use the index that is `native` when they begin. The writer holds `changing` while it
    changes the index, so that no change is lost when a compacted index takes its place.

    Parameters
    ----------
    native
        The first index.

    Attributes
    ----------
    native
        The index in use.
    changing
        The lock that keeps the writer out of a compaction's last step.
    unreadable
        The versions that the index lacks, because their vectors could not be read.
    """

    def __init__(self, native: _core.Index) -> None:
        self.native: _core.Index = native
        self.changing: Final = threading.Lock()
        self.unreadable: Final = UnreadableVersions()
        self._compacting = threading.Lock()
        # Held while places of raw vectors are copied to a fresh index, and while they are replaced.
        self._placing = threading.Lock()
        self._successor: _core.Index | None = None
        self._deleted_meanwhile: deque[_Deletions] = deque(maxlen=0)
        self._indexed_before = 0

    def delete(self, versions: NDArray[np.int64], ends: NDArray[np.int64]) -> int:
        """End versions; return how many of them were alive.

        Parameters
        ----------
        versions, ends
            int64, shape ``(n,)``: the versions, and the generation that ends each of them.
        """
        with self.changing:
            self._deleted_meanwhile.append((versions, ends))
            return self.unreadable.end(versions, ends) + self.native.remove(versions, ends)

    def erase(self, versions: NDArray[np.int64]) -> None:
        """Hide versions from all snapshots, also in an index that is about to take the place of this one.

        Parameters
        ----------
        versions
            int64, shape ``(n,)``: the versions.
        """
        with self._placing:
            # The successor first: what takes its place in between is this one. Nothing is copied meanwhile.
            for native in (self._successor, self.native):
                if native is not None:
                    native.erase(versions)
            self.unreadable.drop(versions)

    def compact(self, horizon: int | None, threads: int, go_on: Callable[[], bool]) -> int:
        """Move the live versions to a fresh index and use that one; return the number of dropped versions.

        The parameters are those of `HnswIndex.compact`.

        Raises
        ------
        CorruptData
            If pages of the mapped checkpoint of the index in use are lost.
        """
        with self._compacting:
            with self.changing:
                self._deleted_meanwhile = deque()
            try:
                with self._placing:
                    dropped = self.native.visible_generation if horizon is None else horizon
                    move = Compaction(self.native, dropped, self._placing)
                    self._successor = move.new
                if not move.prepare(threads, go_on):
                    return 0
                with self.changing:
                    # The writer may have appended vectors that it has not published yet.
                    move.take_over(all=True)
                    for versions, ends in self._deleted_meanwhile:
                        move.new.remove(versions, ends)
                    self._indexed_before = self.indexed_generation
                    self.native = move.new
                    self._successor, self._deleted_meanwhile = None, deque(maxlen=0)
                self.unreadable.drop_ended(dropped)
                gone = move.old.size - move.new.size
                # The old index must not stay for as long as the rest takes.
                del move
                # The tail counts as linked, so that nobody else would link it before more is written.
                link_tail(self.native, self._indexed_before, go_on)
                return gone
            finally:
                self._deleted_meanwhile = deque(maxlen=0)
                self._successor = None

    def relocate(
        self, first_generation: int, last_generation: int, blocks: Blocks, retired: list[NDArray[np.uint8]]
    ) -> None:
        """Use raw vectors at another place, also in an index that is about to take the place of this one.

        The parameters are those of `HnswIndex.relocate`.
        """
        with self._placing:
            # The successor first: what takes its place in between has its vectors at the new place already.
            for native in (self._successor, self.native):
                if native is not None:
                    native.relocate(first_generation, last_generation, blocks, retired)

    @property
    def nbytes(self) -> int:
        """Memory of the index in use, and of one that is about to take its place, in bytes."""
        successor = self._successor
        return self.native.nbytes + (0 if successor is None else successor.nbytes)

    @property
    def indexed_generation(self) -> int:
        """Generation up to which everything is linked into the graph."""
        # After a compaction a tail has to be linked again. The watermark must not go back meanwhile.
        return max(self.native.indexed_generation, self._indexed_before)

"""The native index in use, and its replacement by a compacted one while the writer and searches go on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.index.compaction import Compaction

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
    """

    def __init__(self, native: _core.Index) -> None:
        self.native: _core.Index = native
        self.changing: Final = threading.Lock()
        self._compacting = threading.Lock()
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
            return self.native.remove(versions, ends)

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
                move = Compaction(self.native, self.native.visible_generation if horizon is None else horizon)
                if not move.prepare(threads, go_on):
                    return 0
                with self.changing:
                    # The writer may have appended vectors that it has not published yet.
                    move.take_over(all=True)
                    for versions, ends in self._deleted_meanwhile:
                        move.new.remove(versions, ends)
                    self._indexed_before = self.indexed_generation
                    self.native = move.new
                return move.old.size - move.new.size
            finally:
                self._deleted_meanwhile = deque(maxlen=0)

    @property
    def indexed_generation(self) -> int:
        """Generation up to which everything is linked into the graph."""
        # After a compaction a short tail has to be linked again. The watermark must not go back meanwhile.
        return max(self.native.indexed_generation, self._indexed_before)

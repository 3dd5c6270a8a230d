"""A search that can be continued."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.index.checks import check_range
from engram.index.damage import corrupt_checkpoint, report
from engram.model.limits import EF_MAX, RESULTS_MAX


class Walk:
    """One walk through the graph that gives its results piece by piece; made by `HnswIndex.walk`.

    It sees the snapshot and the filter it began with, whatever happens to the index. Its memory grows with the nodes it
    has met, about 20 bytes each. One thread at a time may use it.
    """

    def __init__(self, native: _core.Walk) -> None:
        self._native = native

    def next(
        self, count: int = 10, ef: int = 64, damaged: list[int] | None = None
    ) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        """Go on, and return up to `count` results that were not returned before.

        Parameters
        ----------
        count
            1..10000.
        ef
            Candidates that are weighed against one another, at least two for each result; more is slower and comes
            closer to the exact order.
        damaged
            Gets the generations that are left out because their vectors do not match their checksums any more.

        Returns
        -------
        generations, scores
            uint64 and float32, shape ``(n,)`` with ``n <= count``, best first; empty when there are no more.

        Raises
        ------
        InvalidInput
            If `count` or `ef` is out of range.
        CorruptData
            If vectors are damaged and there is no list for them, or pages of the mapped checkpoint are lost.
        """
        check_range("count", count, 1, RESULTS_MAX)
        check_range("ef", ef, 1, EF_MAX)
        try:
            generations, scores, lost = self._native.next(count, ef)
        except _core.CorruptCheckpoint as error:
            raise corrupt_checkpoint(error) from error
        report(lost, damaged)
        return generations, scores

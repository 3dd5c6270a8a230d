"""Walks: graph searches that can be continued."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.index.checks import check_damaged, check_range
from engram.index.damage import corrupt_checkpoint, joined, report
from engram.model.limits import EF_MAX, RESULTS_MAX


class Walk:
    """A graph search that returns its results piece by piece; made by `HnswIndex.walk`.

    A walk keeps the snapshot and the filter it started with, whatever happens to the index. Its memory grows by about
    20 bytes for each node it meets. One thread at a time may use it.
    """

    def __init__(self, native: _core.Walk, unreadable: NDArray[np.int64] | None = None) -> None:
        self._native = native
        # What the walk would have looked at, had it been readable. It is reported with the first results.
        self._unreadable = unreadable

    def __repr__(self) -> str:
        return "Walk()"

    def next(
        self, count: int = 10, ef: int = 64, damaged: list[int] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Continue the walk and return up to `count` results that were not returned before.

        Parameters
        ----------
        count
            1..10000.
        ef
            Number of candidates that are compared with one another, at least two per result. A larger number is slower
            and brings the results closer to the exact order.
        damaged
            Receives the generations that are left out because their vectors no longer match their checksums.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.float32]]
            Generations and scores, each of shape ``(n,)`` with ``n <= count``, best first; empty when there are no
            more.

        Raises
        ------
        InvalidInput
            If `count` or `ef` is out of range.
        CorruptData
            If a vector is damaged and `damaged` is None, or pages of the mapped checkpoint are lost.
        """
        count, ef = check_range("count", count, 1, RESULTS_MAX), check_range("ef", ef, 1, EF_MAX)
        check_damaged(damaged)
        try:
            generations, scores, lost = self._native.next(count, ef)
        except _core.CorruptCheckpoint as error:
            raise corrupt_checkpoint(error) from error
        lost, self._unreadable = joined(lost, self._unreadable), None
        report(lost, damaged)
        return generations, scores

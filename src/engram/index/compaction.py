"""Compaction: the live versions are copied to a fresh graph, which then replaces the old one.

Deleted vectors stay in the graph because walks pass through them. Under churn the graph therefore grows and its walks
get longer. Repairing neighbour lists in place would have to find every link to a dead node, would degrade the graph
with each round, and would lose the order of slots by generation, on which snapshots depend. A fresh graph costs one
more insertion per live vector and is as good as new (docs/decisions/0008).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from engram import _core
from engram.index.damage import corrupt_checkpoint

_LINK_BATCH: Final = 512
_EVERYTHING: Final = 2**63 - 1
# A tail this short is cheap to scan.
_TAIL_MAX: Final = 4_096
# A round that leaves more than this share of what the one before has left catches up with nobody: as much is written as
# is linked. Further rounds would go on for ever, while both graphs grow.
_LEFT_SHARE_MAX: Final = 0.75


class Compaction:
    """A move of the live versions from one native index to a fresh one, while the old index keeps serving.

    Parameters
    ----------
    old
        The native index to replace.
    horizon
        Versions that ended at or before this generation are not copied. Snapshots older than the horizon lose them.
    placing
        Held while places of raw vectors are copied, so that nobody replaces them meanwhile.
    """

    def __init__(self, old: _core.Index, horizon: int, placing: threading.Lock) -> None:
        self._placing = placing
        self.old = old
        self.new: _core.Index = old.successor()
        self._horizon = horizon
        self._next_slot = 0

    def prepare(self, threads: int, go_on: Callable[[], bool]) -> bool:
        """Copy and link all live versions but a tail; return False if `go_on` stopped the work.

        The tail is short, unless as much is written meanwhile as is linked. The writer may continue with the old index.
        Deletions made meanwhile must be repeated on the new index.

        Parameters
        ----------
        threads
            Number of linking threads.
        go_on
            Asked before every batch; the work stops once it returns False.

        Raises
        ------
        CorruptData
            If pages of the old index's mapped checkpoint are lost.
        """
        with ThreadPoolExecutor(threads, thread_name_prefix="engram-compaction") as pool:
            self.take_over()
            left = self.new.size
            while True:
                if not all(pool.map(self._link, [go_on] * threads)):
                    return False
                before, left = left, self.old.visible_generation - self.new.indexed_generation
                self.take_over()
                if left <= _TAIL_MAX or left > _LEFT_SHARE_MAX * before:
                    return True

    def take_over(self, *, all: bool = False) -> None:
        """Copy the versions that were published since the last call.

        Parameters
        ----------
        all
            Whether to copy unpublished versions too. The writer must wait meanwhile.

        Raises
        ------
        CorruptData
            If pages of the old index's mapped checkpoint are lost.
        """
        try:
            with self._placing:
                self._next_slot = self.new.take_over(self.old, self._next_slot, self._horizon, all)
        except _core.CorruptCheckpoint as error:
            raise corrupt_checkpoint(error) from error

    def _link(self, go_on: Callable[[], bool]) -> bool:
        return link_tail(self.new, _EVERYTHING, go_on)


def link_tail(index: _core.Index, last: int, go_on: Callable[[], bool]) -> bool:
    """Link what nobody else is linking, up to the generation `last`; return False if `go_on` stopped the work."""
    while index.indexed_generation < last:
        if not go_on():
            return False
        # Nobody waits for a compaction, so it links at low priority (docs/decisions/0010).
        if index.link(_LINK_BATCH, True) == 0:
            break
    return True

"""Leaving the dead behind: the living move to a fresh graph, which then takes the place of the old one.

Deleted vectors stay in the graph as way-marks, so under churn it grows and its walks get longer. Mending lists in place
would have to find every link to a dead node, would wear the graph out round by round, and would lose the order of slots
by generation, which snapshots rest on. A fresh graph costs one more insertion per living vector and is as good as new
(docs/decisions/0008).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from engram import _core
from engram.index.damage import corrupt_checkpoint

_LINK_BATCH: Final = 512
# Few enough to scan and to take over at the last moment, while the writer waits.
_TAIL_MAX: Final = 4_096
# Under an ingest that outruns linking, the tail never gets short; the move is then made with the tail there is.
_ROUNDS_MAX: Final = 64


class Compaction:
    """A move of the living from one native index to a fresh one, while the old one goes on serving.

    Parameters
    ----------
    old
        The index to leave.
    horizon
        Versions that died at or before this generation are left behind; older snapshots lose them.
    """

    def __init__(self, old: _core.Index, horizon: int) -> None:
        self.old = old
        self.new = old.successor()
        self._horizon = horizon
        self._next_slot = 0

    def prepare(self, threads: int, go_on: Callable[[], bool]) -> bool:
        """Move all but a short tail; return whether it was done rather than stopped by `go_on`.

        The writer may go on with the old index meanwhile, but deletions must be done again on the new one.
        """
        with ThreadPoolExecutor(threads, thread_name_prefix="engram-compaction") as pool:
            for _ in range(_ROUNDS_MAX):
                self.take_over()
                if not all(pool.map(self._link, [go_on] * threads)):
                    return False
                if self.old.visible_generation - self.new.indexed_generation <= _TAIL_MAX:
                    break
        return True

    def take_over(self, *, all: bool = False) -> None:
        """Copy what was published since the last time; with `all`, while the writer waits, the unpublished too."""
        try:
            self._next_slot = self.new.take_over(self.old, self._next_slot, self._horizon, all)
        except _core.CorruptCheckpoint as error:
            raise corrupt_checkpoint(error) from error

    def _link(self, go_on: Callable[[], bool]) -> bool:
        while go_on():
            # What nobody waits for goes on in the background.
            if self.new.link(_LINK_BATCH, True) == 0:
                return True
        return False

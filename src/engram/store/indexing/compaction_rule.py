"""When the graph of a space is worth compacting: how much of it nobody can ask for any more, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from engram.index import HnswIndex

LASTING_S: Final = 30.0
"""Seconds for which a third of a graph must be droppable; what dies meanwhile goes with it."""

# Counting looks at each version. So it is done anew only once the horizon has moved by a hundredth of their number; at
# each generation, one version ends at most.
_COUNTED_SHARE: Final = 100


class CompactionRule:
    """Says when the graph of a space is to be compacted, which links all that stays once more. Any thread may ask.

    A compaction is due at once if at least as many versions can be dropped as stay. If it is half as many, which is a
    third of the graph, it is due once that has lasted for `LASTING_S`. So whatever dies when, a version that is dropped
    costs the linking of two others at most, and what can be dropped is soon less than a third of the graph
    (docs/decisions/0008).

    Parameters
    ----------
    count_min
        If fewer versions than this can be dropped, no compaction is due.
    clock
        Returns seconds that never go back.
    """

    def __init__(self, count_min: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._count_min = count_min
        self._clock = clock
        # Since when a third can be dropped; None: it cannot.
        self._since_s: float | None = None
        self._counting = threading.Lock()
        # How many versions could be dropped at which horizon.
        self._droppable = 0
        self._horizon = 0

    def is_due(self, index: HnswIndex, horizon: Callable[[], int]) -> bool:
        """Return whether `index` is to be compacted.

        Parameters
        ----------
        index
            The graph.
        horizon
            Returns the horizon. Versions that ended at or before this generation can no longer be recalled.
        """
        dead = index.dead_count
        if dead < self._count_min or 2 * dead < index.live_count:
            # Only the dead can be dropped, so nearly always nothing has to be counted.
            self._since_s = None
            return False
        droppable = self._counted(index, horizon())
        staying = len(index) - droppable
        if droppable < self._count_min or 2 * droppable < staying:
            self._since_s = None
            return False
        now_s = self._clock()
        since_s = self._since_s
        if since_s is None:
            self._since_s = since_s = now_s
        return droppable >= staying or now_s - since_s >= LASTING_S

    def begin_anew(self) -> None:
        """Forget what was counted: the graph has been compacted."""
        # Whoever counts right now may do so in the graph before.
        with self._counting:
            self._droppable = self._horizon = 0
        self._since_s = None

    def _counted(self, index: HnswIndex, horizon: int) -> int:
        """Return how many versions a compaction would drop, or a few less."""
        with self._counting:
            moved = horizon - self._horizon
            # Whoever holds a snapshot of the past moves the horizon back.
            if moved < 0 or (moved > 0 and moved * _COUNTED_SHARE >= len(index)):
                self._droppable, self._horizon = index.droppable_count(horizon), horizon
            return self._droppable

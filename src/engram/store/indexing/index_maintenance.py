"""How far the graph of a space is: linking, who wants to know, and checkpoints of it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from engram.store.options import StoreOptions
from engram.store.space_state import SpaceState

logger = logging.getLogger(__name__)

Listener = Callable[[int], None]


class IndexMaintenance:
    """The part of a space that index threads and the checkpointer work on.

    Parameters
    ----------
    state
        The space.
    options
        When they are due.
    """

    def __init__(self, state: SpaceState, options: StoreOptions) -> None:
        self._state = state
        self._options = options
        self._announced = state.index.indexed_generation
        # A failed checkpoint is not tried again at once, but when the next one is due.
        self._attempted = state.checkpoint_generation
        self._listeners: tuple[Listener, ...] = ()
        self._compacted_horizon = 0
        self.checkpoints_written = 0
        self.compactions = 0

    def add_listener(self, listener: Listener) -> None:
        """Have `listener` called with the indexed generation whenever it moved, after `done` of those requests."""
        self._listeners = (*self._listeners, listener)

    @property
    def pending(self) -> int:
        """How much of the space is not indexed yet, what is being linked included."""
        # Read in this order, it is never negative.
        indexed = self._state.index.indexed_generation
        return self._state.index.visible_generation - indexed

    def link(self, count_max: int) -> int:
        """Link up to `count_max` of the tail; return how many were linked. Any number of threads at once.

        Fresh observations are found in the tail before they are linked, so linking gives way to acknowledgements and
        recalls. A tail that gets long slows the streams down, which leaves more to linking.
        """
        return self._state.index.link(min(count_max, self._options.link_count), background=True)

    def announce(self) -> None:
        """Tell the listeners how far the graph is, if that is news. Any number of threads at once.

        To be called after every `link`, also after one without links: deletions move the watermark too. Every move is
        followed by a look of the thread that made it, so none is missed; two threads may tell of the same one. Nobody
        hears that something is indexed before hearing that it is stored: the look after the commit's answers tells of
        what was indexed before them.
        """
        indexed = min(self._state.index.indexed_generation, self._state.answered_generation)
        if indexed == self._announced:
            return
        self._announced = indexed
        for listener in self._listeners:
            try:
                listener(indexed)
            except Exception:
                logger.exception("a listener for the indexed generation raised")

    def compaction_is_due(self, horizon: Callable[[], int]) -> bool:
        """Whether as many versions are dead as alive, and that many have passed the horizon since the last compaction.

        Parameters
        ----------
        horizon
            What died at or before this generation nobody will ask for any more.
        """
        index = self._state.index
        least = max(self._options.compaction_count_min, index.live_count)
        return index.dead_count >= least and horizon() - self._compacted_horizon >= least

    def compact(self, horizon: int, go_on: Callable[[], bool]) -> None:
        """Leave behind what died at or before `horizon`, unless `go_on` says no meanwhile.

        Belongs to the checkpointer's thread.
        """
        self._compacted_horizon = horizon
        left = self._state.index.compact(horizon, go_on=go_on)
        self.compactions += left > 0

    def checkpoint_is_due(self) -> bool:
        """Whether enough was indexed since the last checkpoint to write another."""
        if not self._writes_checkpoints():
            return False
        indexed = self._state.index.indexed_generation
        percent = self._options.checkpoint_percent
        return indexed - self._attempted >= max(self._options.checkpoint_count_min, indexed * percent // 100)

    def write_checkpoint(self) -> int:
        """Write a checkpoint if anything was indexed since the last; return the generation that is covered.

        Belongs to the checkpointer's thread.

        Raises
        ------
        Unavailable
            If it cannot be written.
        """
        state = self._state
        self._attempted = state.index.indexed_generation
        checkpoints = state.checkpoints
        if checkpoints is not None and self._writes_checkpoints() and self._attempted > state.checkpoint_generation:
            state.checkpoint_generation = checkpoints.write(state.index)
            self._attempted = state.checkpoint_generation
            self.checkpoints_written += 1
        return state.checkpoint_generation

    def _writes_checkpoints(self) -> bool:
        """Whether there is a place for checkpoints, and the store was not opened read-only."""
        return self._state.checkpoints is not None and not self._state.log.read_only

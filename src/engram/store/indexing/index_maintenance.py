"""The maintenance of a space's graph: linking, announcing how far it is, compaction and checkpoints."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

from engram.errors import EngramError
from engram.log.files.os_errors import typed_failures
from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.store.indexing.attempt import Attempt
from engram.store.indexing.compaction_rule import CompactionRule
from engram.store.options import StoreOptions
from engram.store.space_state import SpaceState

logger: logging.Logger = logging.getLogger(__name__)

Listener = Callable[[int], None]


class IndexMaintenance:
    """The part of a space on which the index threads and the checkpoint thread work.

    Parameters
    ----------
    state
        State of the space.
    options
        Settings of the store, which say when compactions and checkpoints are due.
    """

    def __init__(self, state: SpaceState, options: StoreOptions) -> None:
        self._state = state
        self._options = options
        self._announced = state.index.indexed_generation
        # A checkpoint that failed is not tried again at once, but when the next one is due.
        self._attempted = state.checkpoint_generation
        self._listeners: tuple[Listener, ...] = ()
        self._compaction_rule = CompactionRule(options.compaction_count_min)
        self.checkpoint_attempt: Attempt = Attempt()
        self.compaction_attempt: Attempt = Attempt()
        # Held by the one thread that compacts or writes a checkpoint.
        self._working = threading.Lock()
        self._retired = False
        # Whether the graph in memory tells of what was erased, so that no file may have it.
        self._is_built_anew = False
        self.checkpoints_written: int = 0
        self.compactions: int = 0

    def samples(self, space: str) -> Iterator[MetricSample]:
        """Yield the metrics of the maintenance, for the space called `space`."""
        yield table.CHECKPOINT_GENERATION.sample(self._state.checkpoint_generation, space)
        yield table.CHECKPOINTS.sample(self.checkpoints_written, space)
        yield table.COMPACTIONS.sample(self.compactions, space)

    def add_listener(self, listener: Listener) -> None:
        """Have `listener` called with the indexed generation when it moves, after `done` of the requests up to it."""
        self._listeners = (*self._listeners, listener)

    @property
    def pending(self) -> int:
        """Number of generations that are visible and not indexed, including those that are being linked."""
        # Read in this order, the difference is never negative.
        indexed = self._state.index.indexed_generation
        return self._state.index.visible_generation - indexed

    def link(self, count_max: int) -> int:
        """Link up to `count_max` observations of the tail; return how many were linked.

        Any number of threads may call it at the same time. Linking runs at low priority, behind acknowledgements and
        recalls, because recall finds new observations in the tail before they are linked. A long tail slows the streams
        down, which leaves more time for linking (docs/decisions/0010).
        """
        return self._state.index.link(min(count_max, self._options.link_count), background=True)

    def announce(self) -> None:
        """Call the listeners with the indexed generation if it has moved.

        Any number of threads may call it at the same time. Call it after every `link`, even one that linked nothing:
        deletions move the watermark too. The thread that moves the watermark always checks it afterwards, so no move
        goes unreported; a move may be reported twice.

        A generation is announced as indexed only after the request that stored it was answered. What was indexed before
        the answer is announced by the check that follows the commit's answers.
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

    def is_due(self, horizon: Callable[[], int]) -> bool:
        """Return whether a checkpoint or a compaction is due; the parameter is that of `compaction_is_due`."""
        return self.checkpoint_is_due() or self.compaction_is_due(horizon)

    def compaction_is_due(self, horizon: Callable[[], int]) -> bool:
        """Return whether the graph is to be compacted, as `CompactionRule` says, or again after that failed.

        Parameters
        ----------
        horizon
            Returns the horizon. Versions that ended at or before this generation can no longer be recalled.
        """
        if self.compaction_attempt.is_resting:
            return False
        is_due = self._compaction_rule.is_due(self._state.index, horizon)
        if not is_due:
            self.compaction_attempt.forget()
        return is_due

    def compact(self, horizon: int, go_on: Callable[[], bool]) -> None:
        """Drop the versions that ended at or before `horizon`, unless `go_on` returns False meanwhile.

        Belongs to the checkpoint thread.

        Raises
        ------
        Unavailable
            If it cannot be recorded that the graph has no more than that.
        """
        with self._working:
            if self._retired:
                return
            with self.compaction_attempt.made():
                if not self._state.log.read_only:
                    with typed_failures("noting what the graph retains"):
                        self._state.manifest.set_horizon(horizon)
                left = self._state.index.compact(
                    horizon, self._options.worker_count, lambda: go_on() and not self._retired
                )
            self._compaction_rule.begin_anew()
            self.compactions += left > 0

    def checkpoint_is_due(self) -> bool:
        """Return whether enough was indexed since the last checkpoint to write another one.

        Enough is a share of what is in the graph, since that is what a checkpoint costs, and not of the generations,
        most of which may be gone. One that failed is due again after a while.
        """
        if not self._writes_checkpoints():
            return False
        if self.checkpoint_attempt.failure is not None:
            return self.checkpoint_attempt.is_due_again
        index, options = self._state.index, self._options
        share = (index.live_count + index.dead_count) * options.checkpoint_percent // 100
        return index.indexed_generation - self._attempted >= max(options.checkpoint_count_min, share)

    def write_checkpoint(self) -> int:
        """Write a checkpoint if anything was indexed since the last one; return the generation that is covered.

        Belongs to the checkpoint thread.

        Raises
        ------
        Unavailable
            If it cannot be written.
        CorruptData
            If the mapped checkpoint of the graph has lost pages.
        """
        with self._working:
            return self._state.checkpoint_generation if self._retired else self._write_checkpoint()

    def renew_checkpoint(self) -> None:
        """Write a checkpoint anew if there is one, and keep no older one, because something was erased.

        A graph whose codes tell of what was erased gets no checkpoint any more: the next opening builds it anew. One
        that lacks versions gets none either, and older ones, which may tell of what was erased, are dropped.

        Raises
        ------
        Unavailable, CorruptData
            As `write_checkpoint`.
        """
        state = self._state
        with self._working:
            if state.checkpoints is None or state.log.read_only:
                return
            if state.index.remembers_erased and not self._is_built_anew:
                self._is_built_anew = True
                name = state.log.damages.space
                logger.info(
                    "space %s: the next opening builds the graph anew, which tells of what was erased until then",
                    name,
                    extra={"space": name},
                )
            if self._is_built_anew or state.index.unreadable_count:
                state.checkpoints.forget()
                state.checkpoint_generation = self._attempted = 0
            elif state.manifest.checkpoints:
                with self.checkpoint_attempt.made():
                    state.checkpoint_generation = state.checkpoints.write(state.index, count=1)
                self._attempted = state.checkpoint_generation
                self.checkpoints_written += 1
            state.checkpoints.remove_unlisted()

    def checkpoint_pays(self) -> bool:
        """Return whether so much was indexed since the last checkpoint that the next opening should not link it again.

        A checkpoint has a page for each column of the graph, and takes several syncs, so it does not pay for few rows.
        """
        new = self._state.index.indexed_generation - self._state.checkpoint_generation
        return self._writes_checkpoints() and new >= self._options.checkpoint_rest_count_min

    @property
    def is_settled(self) -> bool:
        """Whether everything visible is linked, and its listeners know it."""
        return not self.pending and self._announced >= self._state.index.indexed_generation

    @property
    def is_linked_again_soon(self) -> bool:
        """Whether so little is to be linked that the next opening may as well do it, as `checkpoint_pays` says."""
        return self.pending < self._options.checkpoint_rest_count_min

    def retire(self) -> bool:
        """Compact and write checkpoints no more, unless that is being done right now; return whether it is so."""
        if not self._working.acquire(blocking=False):
            return False
        try:
            self._retired = True
        finally:
            self._working.release()
        return True

    def end(self) -> None:
        """Compact and write checkpoints no more; return when that is so. A compaction under way is given up."""
        self._retired = True
        with self._working:
            pass

    def finish(self, *, saving: bool = True) -> None:
        """Write the last checkpoint of a retired space if it pays, and let go of the listeners. Raises as for another.

        A listener may refer to its space, which is to be freed.

        Parameters
        ----------
        saving
            Whether there will be another opening, for which a checkpoint may pay.
        """
        self._listeners = ()
        with self._working:
            if saving and self.checkpoint_pays():
                self._write_checkpoint()
            if saving:
                self.drop_older_checkpoints()

    def drop_older_checkpoints(self) -> None:
        """Keep the newest checkpoint only, so that the space takes little room while nothing is written."""
        if self._state.checkpoints is not None and not self._state.log.read_only:
            try:
                self._state.checkpoints.keep_newest()
            except EngramError as error:
                logger.warning("%s", error)

    def _write_checkpoint(self) -> int:
        state = self._state
        self._attempted = state.index.indexed_generation
        checkpoints = state.checkpoints
        if checkpoints is not None and self._writes_checkpoints() and self._attempted > state.checkpoint_generation:
            with self.checkpoint_attempt.made():
                state.checkpoint_generation = checkpoints.write(state.index)
            self._attempted = state.checkpoint_generation
            self.checkpoints_written += 1
        return state.checkpoint_generation

    def _writes_checkpoints(self) -> bool:
        """Return whether there is a place for checkpoints, the store is not read-only, and the graph may be saved.

        A graph that lacks versions is not: whoever opened its checkpoint would not know that there are any.
        """
        state = self._state
        may_be_saved = not self._is_built_anew and not state.index.unreadable_count
        return state.checkpoints is not None and not state.log.read_only and may_be_saved

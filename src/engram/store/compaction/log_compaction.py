"""Compaction of a space's log: which segments are worth it, and what refers to them afterwards."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError, Unavailable
from engram.log.records.header import RecordKind
from engram.log.records.progress import Horizon
from engram.log.records.record import Record
from engram.log.records.record_table import RecordPage
from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.store.compaction.erasure import Erasure
from engram.store.compaction.pace import Stopped
from engram.store.compaction.segment_rewriting import SegmentRewriting
from engram.store.indexing.attempt import Attempt
from engram.store.space_state import SpaceState

# A segment is worth compacting if this share of its file would be freed. So the log takes at most a third more than
# what is retained.
_FREED_SHARE: Final = 0.25
# What is kept of a run must fit into memory.
_RUN_BYTES_MAX: Final = 32 << 20
# Segments that keep less are joined with their neighbours, so that there are few files.
_SMALL_BYTES: Final = 4 << 20
_SMALL_JOINED: Final = 4
# What a segment takes besides its rows: its first sector, the record at its end, whole blocks.
_OVERHEAD: Final = 4 << 10
# Looking at all segments takes at most a hundredth of the time.
_LOOKING_SHARE: Final = 100
logger: logging.Logger = logging.getLogger(__name__)


class LogCompaction:
    """Drops from the log of a space what no retained snapshot sees any more. One thread at a time may use it.

    Parameters
    ----------
    state
        State of the space.
    horizon
        Returns the generation at or before which versions that ended may be dropped.
    erasure
        Finishes what was begun to be erased.

    Attributes
    ----------
    compactions, freed_bytes, failures
        Number of runs of segments that were replaced, of bytes that became free, and of runs that failed.
    attempt, erasure_attempt
        How the last attempts to compact, and to finish what was begun to be erased, ended.
    """

    def __init__(self, state: SpaceState, horizon: Callable[[], int], erasure: Erasure) -> None:
        self._state = state
        self._erasure = erasure
        # Held by the one thread that rewrites segments.
        self._working = threading.Lock()
        self._ending = False
        # Whoever waits to erase: compactions end after the present run then.
        self._waiting: set[object] = set()
        self._horizon = horizon
        self._looked_at = -1
        self._look_again_s = 0.0
        # Segments that cannot be compacted until the space is opened again, because they are damaged.
        self._left: set[int] = set()
        self.compactions: int = 0
        self.freed_bytes: int = 0
        self.failures: int = 0
        self.attempt: Attempt = Attempt()
        self.erasure_attempt: Attempt = Attempt()

    def samples(self, space: str) -> Iterator[MetricSample]:
        """Yield the metrics of the compactions, for the space called `space`."""
        yield table.LOG_COMPACTIONS.sample(self.compactions, space)
        yield table.LOG_FREED_BYTES.sample(self.freed_bytes, space)
        yield table.LOG_COMPACTION_FAILURES.sample(self.failures, space)

    def next_run(self, horizon: int) -> Sequence[RecordPage]:
        """Return the oldest neighbouring segments that are worth compacting at `horizon`; empty if none are."""
        if self._state.log.read_only:
            return ()
        run: list[RecordPage] = []
        kept = 0
        due = small = 0
        pages = self._ended_pages()
        for page in (*pages, None):
            use = None if page is None else self._use_of(page, horizon, is_oldest=page is pages[0])
            joins = use is not None and (use.is_due or use.is_small) and (not run or kept + use.kept <= _RUN_BYTES_MAX)
            if not joins and (due or small >= _SMALL_JOINED):
                return run
            if not joins:
                run, kept, due, small = [], 0, 0, 0
            if page is not None and use is not None and (use.is_due or use.is_small):
                run.append(page)
                kept, due, small = kept + use.kept, due + use.is_due, small + use.is_small
        return ()

    def freeable_bytes(self) -> int:
        """Return about how many bytes of the disk compactions would free now."""
        horizon, pages = self._horizon(), self._ended_pages()
        uses = [(page, self._use_of(page, horizon, is_oldest=page is pages[0])) for page in pages]
        ended = sum(page.segment.file.size - use.kept for page, use in uses if use is not None and use.is_due)
        return ended + self._freeable_of_open(horizon)

    def is_due(self) -> bool:
        """Return whether there is something to compact, looking only if the horizon has moved since the last look.

        What failed is due again after a while.
        """
        if self.is_erasing and not self.erasure_attempt.is_resting:
            return not self._working.locked()
        if self.attempt.failure is not None:
            return self.attempt.is_due_again
        horizon, now_s = self._horizon(), time.monotonic()
        if horizon <= self._looked_at or now_s < self._look_again_s:
            return False
        self._looked_at = horizon
        is_due = bool(self.next_run(horizon)) or self._freeable_of_open(horizon) > 0
        self._look_again_s = now_s + _LOOKING_SHARE * (time.monotonic() - now_s)
        return is_due

    @property
    def is_erasing(self) -> bool:
        """Whether something was begun to be erased and is not finished."""
        return self._erasure.is_under_way

    def run(self, pace: Callable[[int], None]) -> None:
        """Finish what was begun to be erased, unless that failed a short while ago, and compact all that is worth it.

        Parameters
        ----------
        pace
            Is told of bytes before they are read or written. It may wait, and raise to stop.

        Raises
        ------
        EngramError
            If one of them failed: the first error. What was not compacted has not changed.
        """
        pace = self._hurried(pace)
        with self._working:
            try:
                self._go_on(0)
                if not self.erasure_attempt.is_resting:
                    self._finish_erasure(pace)
            except Stopped:
                raise
            except Exception:
                # What cannot be erased keeps nothing else on the disk.
                with contextlib.suppress(EngramError):
                    self._compact_all(pace)
                raise
            self._compact_all(pace)

    def finish_erasure(self, pace: Callable[[int], None]) -> None:
        """Finish what was begun to be erased, and compact nothing; the parameters and errors are those of `run`."""
        with self._working:
            self._go_on(0)
            self._finish_erasure(self._hurried(pace))

    def erase(self, digests: Sequence[str]) -> int:
        """Finish what was begun to be erased, at full speed; return how many observations went under `digests`.

        A compaction that is under way ends before with the segments that it is at.

        Raises
        ------
        FailedPrecondition
            Also if the space is dropped or renamed meanwhile.
        EngramError
            As `Erasure.finish`.
        """
        caller = object()
        self._waiting.add(caller)
        try:
            with self._working:
                try:
                    self._finish_erasure(self._go_on)
                finally:
                    count = self._erasure.taken(digests)
        except Stopped:
            self._state.life.check()
            raise Unavailable(
                "the store is closing; the erasure goes on when it is opened again", code="shutting_down"
            ) from None
        finally:
            self._waiting.discard(caller)
        return count

    @property
    def is_ending(self) -> bool:
        """Whether nothing is to be compacted or erased any more."""
        return self._ending

    def end(self) -> None:
        """Stop an erasure or compaction that is under way, and begin no other; return when it has stopped."""
        self._ending = True
        with self._working:
            pass

    def _go_on(self, nbytes: int) -> None:
        if self._ending:
            raise Stopped

    def _hurried(self, pace: Callable[[int], None]) -> Callable[[int], None]:
        """Return a pace by which what others wait for is not spread over time."""
        return lambda nbytes: pace(0 if self._waiting else nbytes)

    def _finish_erasure(self, pace: Callable[[int], None]) -> None:
        with _noted(self.erasure_attempt):
            self._erasure.finish(pace)

    def _compact_all(self, pace: Callable[[int], None]) -> None:
        with _noted(self.attempt):
            self._run(pace)

    def _run(self, pace: Callable[[int], None]) -> None:
        state, rewriting = self._state, SegmentRewriting(self._state, pace)
        if not state.log.read_only:
            rewriting.remove_leftovers()
        horizon = self._horizon()
        if self._freeable_of_open(horizon):
            self._erasure.end_open_segment()
        # One run takes the place of at least one page; so the number of pages bounds the work, whatever is written.
        for _ in range(len(state.log.pages)):
            if self._waiting:
                # What is left is found due again.
                self._looked_at = -1
                return
            horizon = self._horizon()
            run = self.next_run(horizon)
            if not run:
                break
            try:
                self._compact(run, horizon, rewriting)
            except EngramError as error:
                self._left.update(page.segment.epoch for page in run if error.code.startswith("corrupt"))
                self.failures += 1
                raise
        state.attributes.drop(horizon)

    def _compact(self, run: Sequence[RecordPage], horizon: int, rewriting: SegmentRewriting) -> None:
        state = self._state
        is_oldest = run[0] is state.log.pages[0]

        def survivors(record: Record) -> NDArray[np.int64]:
            if record.kind is RecordKind.OBSERVE:
                return np.flatnonzero(state.attributes.columns.alive(record.generations, horizon))
            # A deletion hides older versions for as long as there may be any in an older segment.
            return np.arange(0 if is_oldest else record.count)

        freed = rewriting.rewrite(run, self._at(horizon), survivors)
        self.compactions += 1
        self.freed_bytes += freed
        logger.info(
            "space %s: the log was compacted; segments that became one: %d, bytes that became free: %d",
            state.log.damages.space,
            len(run),
            freed,
            extra={"space": state.log.damages.space},
        )

    def _at(self, generation: int) -> Horizon:
        """Return a horizon with its commit time, which is in the log as long as nothing of it has been dropped."""
        before = self._state.log.horizon
        record = next((record for record, _ in self._state.log.backwards(generation)), None)
        if generation <= before.generation or record is None:
            return before
        return Horizon(generation, record.committed_us)

    def _ended_pages(self) -> Sequence[RecordPage]:
        """Return the pages of the segments that get no more records."""
        # Read in this order, because a segment is in use before it has a page.
        pages = self._state.log.pages
        return pages if self._state.log.present is None else pages[:-1]

    def _freeable_of_open(self, horizon: int) -> int:
        """Return how many bytes would be free if the segment in use was ended and compacted; 0 if that is not much.

        Most of a small log is in that segment.
        """
        log, pages = self._state.log, self._state.log.pages
        if log.read_only or log.present is None or not pages:
            return 0
        use = self._use_of(pages[-1], horizon, is_oldest=len(pages) == 1)
        freeable = 0 if use is None else pages[-1].segment.end - use.kept
        return freeable if freeable >= max(_SMALL_BYTES, _FREED_SHARE * log.nbytes) else 0

    def _use_of(self, page: RecordPage, horizon: int, *, is_oldest: bool) -> _Use | None:
        """Return what a compaction would keep of a segment; None if it must stay as it is."""
        segment = page.segment
        if segment.format == 1 or page.last_generation > horizon or segment.epoch in self._left:
            return None
        observed, deleted = page.counts
        columns = self._state.attributes.columns
        kept_count = columns.alive_count(page.first_generation, page.last_generation, horizon) if observed else 0
        kept_count += 0 if is_oldest else deleted
        # The progress of sessions is kept, whatever becomes of their rows.
        fixed = sum(record.nbytes for record in page.progress)
        kept = fixed + round((segment.end - segment.begin - fixed) * kept_count / max(observed + deleted, 1))
        return _Use(kept, segment.file.size - kept > _FREED_SHARE * segment.file.size + _OVERHEAD, kept < _SMALL_BYTES)


@contextmanager
def _noted(attempt: Attempt) -> Iterator[None]:
    """Have `attempt` remember how the body ends, unless it was told to stop."""
    try:
        with attempt.made():
            yield
    except Stopped:
        attempt.forget()
        raise


class _Use(NamedTuple):
    """What a compaction would keep of a segment.

    Parameters
    ----------
    kept
        About how many bytes are kept.
    is_due
        Whether enough would become free.
    is_small
        Whether so little is kept that the segment is better joined with its neighbours.
    """

    kept: int
    is_due: bool
    is_small: bool

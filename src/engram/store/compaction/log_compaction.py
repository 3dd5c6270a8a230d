"""Compaction of a space's log: when it is due, what of it is dropped, and how the attempts end."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

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
from engram.store.compaction.segment_choice import SegmentChoice
from engram.store.compaction.segment_rewriting import SegmentRewriting
from engram.store.indexing.attempt import Attempt
from engram.store.space_state import SpaceState

# Once the horizon has not moved for so long, the log is compacted thoroughly.
_SETTLED_S: Final = 60.0
# Looking at all segments takes at most a hundredth of the time.
_LOOKING_SHARE: Final = 100
_NOT_YET: Final = (-1, False)
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
    choice
        Chooses the segments.
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
        # Damaged segments are left alone until the space is opened again.
        self.choice: SegmentChoice = SegmentChoice(state)
        self._looked_at = _NOT_YET
        # The horizon, and since when it is where it is.
        self._settling = -1, time.monotonic()
        self._look_again_s = 0.0
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

    def freeable_bytes(self) -> int:
        """Return about how many bytes of the disk a thorough compaction would free now."""
        return self.choice.freeable_bytes(self._horizon(), thorough=True)

    def is_due(self) -> bool:
        """Return whether there is something to compact.

        It looks if the horizon has moved since the last look, and once more when that has settled. What failed is due
        again after a while.
        """
        if self.is_erasing and not self.erasure_attempt.is_resting:
            return not self._working.locked()
        if self.attempt.failure is not None:
            return self.attempt.is_due_again
        horizon, now_s = self._horizon(), time.monotonic()
        is_settled = self._is_settled(horizon)
        if (horizon, is_settled) <= self._looked_at or now_s < self._look_again_s:
            return False
        self._looked_at = horizon, is_settled
        choice = self.choice
        is_due = bool(choice.next_run(horizon, thorough=is_settled) or choice.freeable_of_open(horizon, is_settled))
        self._look_again_s = now_s + _LOOKING_SHARE * (time.monotonic() - now_s)
        return is_due

    @property
    def is_erasing(self) -> bool:
        """Whether something was begun to be erased and is not finished."""
        return self._erasure.is_under_way

    def _is_settled(self, horizon: int) -> bool:
        """Return whether the horizon has not moved for a while. What is rewritten then stays as it is for longer."""
        now_s = time.monotonic()
        if horizon != self._settling[0]:
            self._settling = horizon, now_s
        return now_s - self._settling[1] >= _SETTLED_S

    def run(self, pace: Callable[[int], None], *, thorough: bool = False) -> None:
        """Finish what was begun to be erased, unless that failed a short while ago, and compact all that is worth it.

        Parameters
        ----------
        pace
            Is told of bytes before they are read or written. It may wait, and raise to stop.
        thorough
            Whether little is to be left, as once the horizon has settled.

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
                    self._compact_all(pace, thorough)
                raise
            self._compact_all(pace, thorough)

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

    def _compact_all(self, pace: Callable[[int], None], thorough: bool) -> None:
        with _noted(self.attempt):
            self._run(pace, thorough)

    def _run(self, pace: Callable[[int], None], thorough: bool) -> None:
        state, rewriting = self._state, SegmentRewriting(self._state, pace)
        if not state.log.read_only:
            rewriting.remove_leftovers()
        horizon = self._horizon()
        if self.choice.freeable_of_open(horizon, thorough or self._is_settled(horizon)):
            self._erasure.end_open_segment()
        # One run takes the place of at least one page; so the number of pages bounds the work, whatever is written.
        for _ in range(len(state.log.pages)):
            if self._waiting:
                # What is left is found due again.
                self._looked_at = _NOT_YET
                return
            horizon = self._horizon()
            run = self.choice.next_run(horizon, thorough=thorough or self._is_settled(horizon))
            if not run:
                break
            try:
                self._compact(run, horizon, rewriting)
            except EngramError as error:
                self.choice.left.update(page.segment.epoch for page in run if error.code.startswith("corrupt"))
                self.failures += 1
                raise
        state.attributes.drop(horizon)

    def _compact(self, run: Sequence[RecordPage], horizon: int, rewriting: SegmentRewriting) -> None:
        state = self._state
        is_oldest = run[0] is state.log.pages[0]

        def survivors(record: Record) -> NDArray[np.int64]:
            if record.kind is RecordKind.OBSERVE:
                return np.flatnonzero(state.attributes.columns.alive(record.generations, horizon))
            # A deletion hides older versions for as long as a snapshot sees them, or any may be in an older segment.
            return np.arange(0 if is_oldest and record.last_generation <= horizon else record.count)

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


@contextmanager
def _noted(attempt: Attempt) -> Iterator[None]:
    """Have `attempt` remember how the body ends, unless it was told to stop."""
    try:
        with attempt.made():
            yield
    except Stopped:
        attempt.forget()
        raise

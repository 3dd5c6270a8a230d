"""The housekeeping thread: it records how far the logs are durable and checks everything stored, again and again."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from engram.store.health.noted import noted
from engram.store.health.problem_kinds import LOG_COMPACTION_FAILED, NOT_NOTED, SCRUB_FAILED
from engram.store.health.problems import Problems
from engram.store.options import StoreOptions
from engram.store.space_catalog import SpaceCatalog

if TYPE_CHECKING:
    from engram.store.resting.weak_spaces import RestingSpaces
    from engram.store.space_engine import SpaceEngine

# The list of spaces is rewritten every so many rounds, if it changed.
_ROUNDS_PER_NOTE = 60
# A pass that could not read everything is made again after so many seconds.
_SCRUB_RETRY_S = 60.0
# Opening a space that rests takes about as long as reading so much.
_OPENING_BYTES = 1 << 20
logger: logging.Logger = logging.getLogger(__name__)


class Housekeeping:
    """The housekeeping thread of a store; it works a little in every round, from `start` to `stop`.

    Parameters
    ----------
    spaces
        Returns the open spaces.
    catalogue
        The catalogue in which the reached generation of each space is recorded.
    options
        Settings of the store: the intervals, and the rate of scrubbing.
    problems
        Problems of the store as a whole.
    maintain
        Called with each open space: has a checkpoint written, or its graph compacted, if that is due by now.
    compact_log
        Has the log of a space compacted, on another thread.
    resting
        The spaces that rest: they are looked at, and scrubbed, after the open ones.
    """

    def __init__(
        self,
        spaces: Callable[[], Sequence[SpaceEngine]],
        catalogue: SpaceCatalog,
        options: StoreOptions,
        problems: Problems | None = None,
        maintain: Callable[[SpaceEngine], None] = lambda space: None,
        compact_log: Callable[[SpaceEngine], None] = lambda space: None,
        resting: RestingSpaces | None = None,
    ) -> None:
        self._spaces = spaces
        self._resting = resting
        self._catalogue = catalogue
        self._compact_log = compact_log
        self._interval_s = options.mark_interval_s
        self._scrub_bytes = round(options.scrub_bytes_per_s * options.mark_interval_s)
        self._scrub_interval_s = options.scrub_interval_s
        self._stopped = threading.Event()
        self._rounds = 0
        self._problems = problems or Problems()
        self._maintain = maintain
        self._thread = threading.Thread(target=self._run, name="engram-housekeeping", daemon=True)
        self._scrubbing: Generator[int, None, None] | None = None
        self._unread: set[str] = set()
        # The first scrub starts right after opening. Recalls need not wait for it: they check the bytes they read.
        self._scrub_due_s = time.monotonic()
        self.scrubs: int = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; return when the current round is done."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._scrubbing is not None:
            # It may hold an open file.
            self._scrubbing.close()

    def note(self) -> None:
        """Record the durable generation of each space in the catalogue.

        Raises
        ------
        Unavailable
            If the catalogue cannot be written.
        """
        self._catalogue.note(
            {space.config.name: (space.identity.space, space.durable_generation) for space in self._spaces()}
        )

    def _run(self) -> None:
        has_failed = False
        while not self._stopped.wait(self._interval_s):
            try:
                self._round()
                has_failed = False
            except Exception:
                # Without rounds no mark is left and nothing is checked. A failure that lasts is told once.
                if not has_failed:
                    logger.exception("a round of the housekeeping failed")
                has_failed = True

    def _round(self) -> None:
        """Do a little of everything; what fails keeps nothing else from being done."""
        self._rounds += 1
        self._mark()
        self._expire()
        if self._rounds % _ROUNDS_PER_NOTE == 0:
            with noted(self._problems, NOT_NOTED, "the list of spaces cannot be written"):
                self.note()
            if self._resting is not None:
                self._resting.save()
                # Whoever asks whether the server is ready sends it nothing as long as there is one that is refused.
                self._resting.retry()
        self._scrub()

    def _mark(self) -> None:
        for space in self._spaces():
            with noted(space.health.problems, NOT_NOTED, "how far the log went cannot be noted"):
                space.expire_scans()
                space.health.look()
                self._maintain(space)
                space.leave_mark()

    def _expire(self) -> None:
        for space in self._spaces():
            self._expire_in(space)
        if self._resting is not None:
            self._resting.resume()

    def _expire_in(self, space: SpaceEngine) -> None:
        with noted(self._problems, LOG_COMPACTION_FAILED, "what is no longer retained cannot be found"):
            space.retention.advance()
            if space.log_compaction.is_due():
                self._compact_log(space)
            space.remove_expired()

    def _scrub(self) -> None:
        """Read and check as many bytes as one round may read; note what cannot be read, and go on behind it."""
        if not self._scrub_bytes:
            return
        if self._scrubbing is None:
            if time.monotonic() < self._scrub_due_s:
                return
            spaces = [weakref.ref(space) for space in self._spaces()]
            self._unread = set()
            self._scrubbing = self._scrub_all(spaces, self._unread)
        read = 0
        try:
            for nbytes in self._scrubbing:
                read += nbytes
                if read >= self._scrub_bytes or self._stopped.is_set():
                    return
        except Exception as error:
            # Above all, that memory is short. The pass has ended, and another one begins soon.
            logger.exception("not everything can be read and checked")
            self._problems.set(SCRUB_FAILED, f"not everything can be read and checked: {type(error).__name__}")
        self._scrubbing = None
        is_partial = self._unread or self._problems.has(SCRUB_FAILED)
        self._scrub_due_s = time.monotonic() + (_SCRUB_RETRY_S if is_partial else self._scrub_interval_s)
        self.scrubs += 1

    def _scrub_all(self, spaces: Sequence[weakref.ref[SpaceEngine]], unread: set[str]) -> Generator[int, None, None]:
        """Check the list of spaces, then `spaces`, then those that rest; yield bytes."""
        with noted(self._problems, SCRUB_FAILED, "not everything can be read and checked"):
            self._catalogue.check()
        for weak in spaces:
            # One that rests by now is read when its turn comes among those that rest.
            yield from _scrubbed(weak, unread, 0, lambda space: None)
        if self._resting is None:
            return
        for name, opened, is_refused in self._resting.waking():
            # What is no longer retained of a space that rests is seen only now.
            is_read = opened is not None and (yield from _scrubbed(opened, unread, _OPENING_BYTES, self._expire_in))
            if not is_read:
                if not is_refused:
                    unread.add(name)
                # Whoever makes many attempts in vain is asked in between whether to stop.
                yield _OPENING_BYTES


def _scrubbed(
    weak: weakref.ref[SpaceEngine], unread: set[str], opening_bytes: int, look: Callable[[SpaceEngine], None]
) -> Generator[int, None, bool]:
    """Check a space, and yield bytes, without keeping it alive if it is referenced nowhere else.

    It does not come to rest meanwhile: whoever opened it again might replace the files that are being checked. If it
    could not be read as a whole, its name is added to `unread`.

    Parameters
    ----------
    opening_bytes
        Bytes in whose place it was opened.
    look
        Called with the space before.

    Returns
    -------
    bool
        Whether it was there to be checked; not if it has come to rest.
    """
    space = weak()
    if space is None or not space.occupancy.hold(visiting=True):
        return False
    occupancy, problems = space.occupancy, space.health.problems
    try:
        look(space)
        pieces = space.scrub()
        del space
        yield opening_bytes
        with noted(problems, SCRUB_FAILED, "not everything can be read and checked"):
            yield from pieces
    finally:
        occupancy.release(visiting=True)
    if problems.has(SCRUB_FAILED):
        # It may rest when the pass ends.
        unread.add(problems.space)
    return True

"""The housekeeping thread: it records how far the logs are durable and checks everything stored, again and again."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engram.errors import EngramError
from engram.store.options import StoreOptions
from engram.store.space_catalog import SpaceCatalog

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine

# The list of spaces is rewritten every so many rounds, if it changed.
_ROUNDS_PER_NOTE = 60
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
    compact_log
        Has the log of a space compacted, on another thread.
    """

    def __init__(
        self,
        spaces: Callable[[], Sequence[SpaceEngine]],
        catalogue: SpaceCatalog,
        options: StoreOptions,
        compact_log: Callable[[SpaceEngine], None] = lambda space: None,
    ) -> None:
        self._spaces = spaces
        self._catalogue = catalogue
        self._compact_log = compact_log
        self._interval_s = options.mark_interval_s
        self._scrub_bytes = round(options.scrub_bytes_per_s * options.mark_interval_s)
        self._scrub_interval_s = options.scrub_interval_s
        self._stopped = threading.Event()
        self._rounds = 0
        self._failures = _Failures()
        self._thread = threading.Thread(target=self._run, name="engram-housekeeping", daemon=True)
        self._scrubbing: Generator[int, None, None] | None = None
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
        while not self._stopped.wait(self._interval_s):
            self._round()

    def _round(self) -> None:
        """Do a little of everything; what fails keeps nothing else from being done."""
        self._rounds += 1
        self._mark()
        self._expire()
        if self._rounds % _ROUNDS_PER_NOTE == 0:
            with self._failures.logged("the list of spaces"):
                self.note()
        with self._failures.logged("the scrub"):
            self._scrub()

    def _mark(self) -> None:
        for space in self._spaces():
            with self._failures.logged(f"the mark of space {space.config.name}"):
                space.leave_mark()

    def _expire(self) -> None:
        for space in self._spaces():
            with self._failures.logged(f"the retention of space {space.config.name}"):
                space.retention.advance()
                if space.log_compaction.is_due():
                    self._compact_log(space)

    def _scrub(self) -> None:
        """Read and check as many bytes as one round may read."""
        if not self._scrub_bytes:
            return
        if self._scrubbing is None:
            if time.monotonic() < self._scrub_due_s:
                return
            spaces = [weakref.ref(space) for space in self._spaces()]
            self._scrubbing = _scrub_all(spaces, self._catalogue, self._failures)
        read = 0
        for nbytes in self._scrubbing:
            read += nbytes
            if read >= self._scrub_bytes or self._stopped.is_set():
                return
        self._scrubbing = None
        self._scrub_due_s = time.monotonic() + self._scrub_interval_s
        self.scrubs += 1


class _Failures:
    """Failures of the rounds. Each kind of failure of a task is logged once, not every round. One thread uses it."""

    def __init__(self) -> None:
        self._logged: dict[str, str] = {}

    @contextmanager
    def logged(self, what: str) -> Iterator[None]:
        """Log a failure of the body, which does `what` and will be tried again, and go on."""
        try:
            yield
        except EngramError as error:
            if self._is_new(what, error.code):
                logger.warning("%s: %s; it is tried again", what, error)
        except Exception as error:
            if self._is_new(what, type(error).__name__):
                logger.exception("%s failed; it is tried again", what)
        else:
            self._logged.pop(what, None)

    def _is_new(self, what: str, kind: str) -> bool:
        before, self._logged[what] = self._logged.get(what), kind
        return before != kind


def _scrub_all(
    spaces: Sequence[weakref.ref[SpaceEngine]], catalogue: SpaceCatalog, failures: _Failures
) -> Generator[int, None, None]:
    """Check all spaces, without keeping a space alive that is referenced nowhere else."""
    catalogue.check()
    for weak in spaces:
        space = weak()
        if space is None:
            continue
        what, pieces = f"the scrub of space {space.config.name}", space.scrub()
        del space
        with failures.logged(what):
            yield from pieces

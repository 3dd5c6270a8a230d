"""The housekeeping thread: it records how far the logs are durable and checks everything stored, again and again."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from engram.errors import EngramError
from engram.store.options import StoreOptions
from engram.store.space_catalog import SpaceCatalog

if TYPE_CHECKING:
    from engram.store.space import Space

# The list of spaces is rewritten every so many rounds, if it changed.
_ROUNDS_PER_NOTE = 60
logger = logging.getLogger(__name__)


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
    """

    def __init__(self, spaces: Callable[[], Sequence[Space]], catalogue: SpaceCatalog, options: StoreOptions) -> None:
        self._spaces = spaces
        self._catalogue = catalogue
        self._interval_s = options.mark_interval_s
        self._scrub_bytes = round(options.scrub_bytes_per_s * options.mark_interval_s)
        self._scrub_interval_s = options.scrub_interval_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engram-keeper", daemon=True)
        self._scrubbing: Iterator[int] | None = None
        # The first scrub starts right after opening. Recalls need not wait for it: they check the bytes they read.
        self._scrub_due_s = time.monotonic()
        self.scrubs = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; return when the current round is done."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

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
        rounds = 0
        while not self._stopped.wait(self._interval_s):
            rounds += 1
            try:
                self._mark()
                if rounds % _ROUNDS_PER_NOTE == 0:
                    self.note()
                self._scrub()
            except EngramError as error:
                logger.warning("%s", error)
            except Exception:
                logger.exception("looking after the store failed; it is tried again")

    def _mark(self) -> None:
        for space in self._spaces():
            space.leave_mark()

    def _scrub(self) -> None:
        """Read and check as many bytes as one round may read."""
        if not self._scrub_bytes:
            return
        if self._scrubbing is None:
            if time.monotonic() < self._scrub_due_s:
                return
            self._scrubbing = _scrub_all([weakref.ref(space) for space in self._spaces()], self._catalogue)
        read = 0
        for nbytes in self._scrubbing:
            read += nbytes
            if read >= self._scrub_bytes or self._stopped.is_set():
                return
        self._scrubbing = None
        self._scrub_due_s = time.monotonic() + self._scrub_interval_s
        self.scrubs += 1


def _scrub_all(spaces: Sequence[weakref.ref[Space]], catalogue: SpaceCatalog) -> Iterator[int]:
    """Check all spaces, without keeping a space alive that is referenced nowhere else."""
    catalogue.check()
    for weak in spaces:
        space = weak()
        pieces = iter(()) if space is None else space.scrub()
        del space
        yield from pieces

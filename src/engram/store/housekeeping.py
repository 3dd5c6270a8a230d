"""The thread that looks after what is stored: it notes how far the logs went, and reads everything again and again."""

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
    from engram.store.space import Space

# The list of spaces is written again after so many rounds, if it changed.
_ROUNDS_PER_NOTE = 60
logger = logging.getLogger(__name__)


class Housekeeping:
    """Works from `start` to `stop`, a little every round.

    Parameters
    ----------
    spaces
        The spaces that are open.
    catalogue
        Where it is noted how far each of them went.
    options
        How often, and how fast.
    """

    def __init__(self, spaces: Callable[[], Sequence[Space]], catalogue: SpaceCatalog, options: StoreOptions) -> None:
        self._spaces = spaces
        self._catalogue = catalogue
        self._interval_s = options.mark_interval_s
        self._scrub_bytes = round(options.scrub_bytes_per_s * options.mark_interval_s)
        self._scrub_interval_s = options.scrub_interval_s
        self._stopped = threading.Event()
        self._rounds = 0
        self._failures = _Failures()
        self._thread = threading.Thread(target=self._run, name="engram-keeper", daemon=True)
        self._scrubbing: Generator[int, None, None] | None = None
        # The first time, everything is read right after opening: what recalls need, they check themselves.
        self._scrub_due_s = time.monotonic()
        self.scrubs = 0

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Return when the round that is under way is done."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._scrubbing is not None:
            # It may hold an open file.
            self._scrubbing.close()

    def note(self) -> None:
        """Note how far each space went.

        Raises
        ------
        Unavailable
            If that cannot be written.
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
        if self._rounds % _ROUNDS_PER_NOTE == 0:
            with self._failures.borne("the list of spaces"):
                self.note()
        with self._failures.borne("the scrub"):
            self._scrub()

    def _mark(self) -> None:
        for space in self._spaces():
            with self._failures.borne(f"the mark of space {space.config.name}"):
                space.leave_mark()

    def _scrub(self) -> None:
        """Read as much as this round may."""
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
    """What failed, told once for each thing and kind of failure instead of every round; used by one thread."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    @contextmanager
    def borne(self, what: str) -> Iterator[None]:
        """Go on after a failure of the body, which does `what` and is tried again."""
        try:
            yield
        except EngramError as error:
            if self._is_news(what, error.code):
                logger.warning("%s: %s; it is tried again", what, error)
        except Exception as error:
            if self._is_news(what, type(error).__name__):
                logger.exception("%s failed; it is tried again", what)
        else:
            self._told.pop(what, None)

    def _is_news(self, what: str, kind: str) -> bool:
        before, self._told[what] = self._told.get(what), kind
        return before != kind


def _scrub_all(
    spaces: Sequence[weakref.ref[Space]], catalogue: SpaceCatalog, failures: _Failures
) -> Generator[int, None, None]:
    """Check all spaces, without keeping any of them alive that nobody else holds."""
    catalogue.check()
    for weak in spaces:
        space = weak()
        if space is None:
            continue
        what, pieces = f"the scrub of space {space.config.name}", space.scrub()
        del space
        with failures.borne(what):
            yield from pieces

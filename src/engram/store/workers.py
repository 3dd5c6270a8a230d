"""The threads that link the tail into the graph."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engram.store.space import Space

_PAUSE_S_MIN: Final = 0.01
_PAUSE_S_MAX: Final = 5.0
_NICENESS: Final = 10
logger = logging.getLogger(__name__)


class Workers:
    """Index threads, shared by all spaces of a store; a space with a long tail may use all of them at once.

    A thread that meets an exception logs and counts it and starts over, after a pause that grows while the exceptions
    go on. Linking is idempotent per generation, so nothing is lost or done twice.

    Parameters
    ----------
    count
        Number of threads.
    linked
        Called with the space after every turn, on the worker's thread.
    """

    def __init__(self, count: int, linked: Callable[[Space], None]) -> None:
        self._linked = linked
        self._changed = threading.Condition()
        # The spaces that may have something to link, and the number of the call that said so last.
        self._due: dict[Space, int] = {}
        self._calls = 0
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._supervise, name=f"engram-worker-{number}", daemon=True)
            for number in range(count)
        ]
        self.failures = 0

    def start(self) -> None:
        """Begin to link."""
        for thread in self._threads:
            thread.start()

    def notify(self, space: Space) -> None:
        """Say that there is something to link in `space`."""
        with self._changed:
            self._calls += 1
            self._due[space] = self._calls
            self._changed.notify_all()

    def stop(self) -> None:
        """Let every thread finish its turn, and return when they have ended. What is not linked stays in the tail."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _supervise(self) -> None:
        _yield_to_others()
        pause_s = _PAUSE_S_MIN
        while True:
            turn = self._next_turn()
            if turn is None:
                return
            try:
                self._take_turn(*turn)
                pause_s = _PAUSE_S_MIN
            except Exception:
                logger.exception("an index worker failed in space %s; it starts over", turn[0].config.name)
                self._recover(pause_s)
                pause_s = min(2 * pause_s, _PAUSE_S_MAX)

    def _next_turn(self) -> tuple[Space, int] | None:
        """The space whose turn it is, and the call that made it due; None when stopping."""
        with self._changed:
            self._changed.wait_for(lambda: self._due or self._stopping)
            if self._stopping:
                return None
            space, call = next(iter(self._due.items()))
            # To the end of the line, where the next worker finds it again: workers take turns among the spaces.
            self._due[space] = self._due.pop(space)
            return space, call

    def _take_turn(self, space: Space, call: int) -> None:
        linked = space.indexing.link()
        with self._changed:
            if linked:
                # Another worker may have found nothing left while this one was at it; but there may be more by now.
                self._due.setdefault(space, call)
            elif self._due.get(space) == call:
                # Unless it became due again meanwhile.
                del self._due[space]
        self._linked(space)

    def _recover(self, pause_s: float) -> None:
        with self._changed:
            self.failures += 1
            self._changed.wait_for(lambda: self._stopping, pause_s)


def _yield_to_others() -> None:
    """Let this thread work with what the others leave over.

    Fresh observations are found in the tail before they are linked, so linking can wait where acknowledgements and
    recalls cannot. Linux has priorities per thread; elsewhere all threads stay equal.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)

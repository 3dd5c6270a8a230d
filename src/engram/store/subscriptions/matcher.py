"""The thread that matches committed observations against the standing recalls of all spaces."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engram.store.subscriptions.registry import Subscriptions

logger: logging.Logger = logging.getLogger(__name__)


class Matcher:
    """Matches one space after the other, a bounded number of observations at a time, from `start` to `stop`."""

    def __init__(self) -> None:
        self._due: set[Subscriptions] = set()
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Subscriptions | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engram-matcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def notify(self, subscriptions: Subscriptions) -> None:
        """Request a match, because something became visible in the space of `subscriptions`."""
        with self._lock:
            if not len(subscriptions) or subscriptions in self._due:
                return
            self._due.add(subscriptions)
        self._queue.put(subscriptions)

    def stop(self) -> None:
        """Stop the thread; return when it has ended. What is not matched by then stays unmatched."""
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (subscriptions := self._queue.get()) is not None:
            with self._lock:
                self._due.discard(subscriptions)
            try:
                if subscriptions.advance():
                    self.notify(subscriptions)
            except Exception:
                # The next commit tries again from the same position.
                logger.exception("matching standing recalls failed")
            # While this thread waits for spaces, it must not keep one alive that is referenced nowhere else.
            del subscriptions

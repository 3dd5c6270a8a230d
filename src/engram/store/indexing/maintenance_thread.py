"""The thread that writes checkpoints and compacts, so that no other thread waits for this."""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from engram.errors import EngramError, FailedPrecondition

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine

logger: logging.Logger = logging.getLogger(__name__)


class MaintenanceThread:
    """Writes one checkpoint after the other, from `start` to `stop`; a compaction that is due comes first."""

    def __init__(self) -> None:
        # At most one entry per space: the future of its next checkpoint.
        self._waiting: dict[SpaceEngine, Future[int]] = {}
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[SpaceEngine | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engram-checkpointer", daemon=True)
        self._stopped = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def request(self, space: SpaceEngine) -> Future[int]:
        """Request a checkpoint of `space`; return a future of the generation it covers, or of the error.

        Raises
        ------
        FailedPrecondition
            After `stop`.
        """
        with self._lock:
            future = self._waiting.get(space)
            if future is None:
                if self._stopped:
                    raise FailedPrecondition("the store is closed", code="closed")
                future = self._waiting[space] = Future()
                self._queue.put(space)
            return future

    def stop(self) -> None:
        """Write the checkpoints that were requested, and return when that is done."""
        with self._lock:
            self._stopped = True
            self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (space := self._queue.get()) is not None:
            name = space.config.name
            with self._lock:
                future = self._waiting.pop(space)
            try:
                if not self._stopped and space.indexing.compaction_is_due(lambda: space.retention.horizon):
                    space.indexing.compact(space.retention.horizon, lambda: not self._stopped)
                future.set_result(space.indexing.write_checkpoint())
            except EngramError as error:
                logger.warning("no checkpoint of space %s: %s", name, error, extra={"space": name})
                future.set_exception(error)
            except Exception as error:
                logger.exception("a checkpoint of space %s failed", name, extra={"space": name})
                future.set_exception(error)
            # A space references its store. While this thread waits for requests, it must not keep a store alive that is
            # referenced nowhere else.
            del space, future

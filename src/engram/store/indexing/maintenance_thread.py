"""The thread that writes checkpoints and compacts, so that no other thread waits for this."""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from engram.errors import EngramError, FailedPrecondition
from engram.store.compaction.pace import Pace, Stopped

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine

logger: logging.Logger = logging.getLogger(__name__)


class MaintenanceThread:
    """Writes one checkpoint after the other, from `start` to `stop`; a compaction that is due comes first.

    Parameters
    ----------
    log_bytes_per_s
        Bytes a second that compactions of logs may read and write; 0: no log is compacted.
    """

    def __init__(self, log_bytes_per_s: int = 0) -> None:
        self._log_bytes_per_s = log_bytes_per_s
        self._logs: set[SpaceEngine] = set()
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

    def request_compaction(self, space: SpaceEngine) -> None:
        """Have the log of `space` compacted, where that is worth it, unless it is waiting for that already."""
        with self._lock:
            if self._log_bytes_per_s and not self._stopped and space not in self._logs:
                self._logs.add(space)
                self._queue.put(space)

    def stop(self) -> None:
        """Write the checkpoints that were requested, and return when that is done."""
        with self._lock:
            self._stopped = True
            self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (space := self._queue.get()) is not None:
            with self._lock:
                future = self._waiting.pop(space, None)
                compacts = space in self._logs
                self._logs.discard(space)
            if compacts:
                self._compact_log(space)
            if future is not None:
                self._write_checkpoint(space, future)
            # A space references its store. While this thread waits for requests, it must not keep a store alive that is
            # referenced nowhere else.
            del space, future

    def _compact_log(self, space: SpaceEngine) -> None:
        name = space.config.name
        try:
            space.log_compaction.run(Pace(self._log_bytes_per_s, lambda: not self._stopped))
        except Stopped:
            pass
        except EngramError as error:
            logger.warning("the log of space %s was not compacted: %s", name, error, extra={"space": name})
        except Exception:
            logger.exception("compacting the log of space %s failed", name, extra={"space": name})

    def _write_checkpoint(self, space: SpaceEngine, future: Future[int]) -> None:
        name = space.config.name
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

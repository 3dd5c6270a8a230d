"""The thread that writes checkpoints and compacts, so that no other thread waits for this."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from engram.errors import EngramError, FailedPrecondition

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine

logger: logging.Logger = logging.getLogger(__name__)


class MaintenanceThread:
    """Writes one checkpoint after the other, from `start` to `stop`; a compaction that is due comes first.

    Parameters
    ----------
    compacted
        Called with each space whose graph was compacted. What this thread linked meanwhile was announced to nobody, and
        index threads that found nothing to link beside it do not look again by themselves.
    """

    def __init__(self, compacted: Callable[[SpaceEngine], None]) -> None:
        self._compacted = compacted
        # At most one entry per space: the future of its next checkpoint; None while nobody asked for one.
        self._waiting: dict[SpaceEngine, Future[int] | None] = {}
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
                self._put(space)
                future = self._waiting[space] = Future()
            return future

    def request_due(self, space: SpaceEngine) -> None:
        """Request what is due of `space` when its turn has come: a compaction, a checkpoint, or nothing any more.

        Raises
        ------
        FailedPrecondition
            After `stop`.
        """
        with self._lock:
            if space not in self._waiting:
                self._put(space)
                self._waiting[space] = None

    def stop(self) -> None:
        """Write the checkpoints that were requested, and return when that is done."""
        with self._lock:
            self._stopped = True
            self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _put(self, space: SpaceEngine) -> None:
        if space in self._waiting:
            return
        if self._stopped:
            raise FailedPrecondition("the store is closed", code="closed")
        self._queue.put(space)

    def _run(self) -> None:
        while (space := self._queue.get()) is not None:
            with self._lock:
                future = self._waiting.pop(space)
            self._serve(space, future)
            # A space references its store. While this thread waits for requests, it must not keep a store alive that is
            # referenced nowhere else.
            del space, future

    def _serve(self, space: SpaceEngine, future: Future[int] | None) -> None:
        """Do what is due of `space`, and write the checkpoint that was asked for, if one was."""
        is_compacted = self._compact_if_due(space)
        indexing = space.indexing
        is_new = is_compacted and not indexing.checkpoint_attempt.is_resting
        # A compaction that fails again and again must not have a checkpoint written each time.
        if future is not None or is_new or indexing.checkpoint_is_due():
            self._write(space, future or Future())
        try:
            space.health.look()
        except Exception:
            # Whoever waits for the next checkpoint would wait for ever if this thread ended.
            logger.exception("the health of space %s is not known", space.config.name)

    def _write(self, space: SpaceEngine, future: Future[int]) -> None:
        is_new = space.indexing.checkpoint_attempt.failure is None
        try:
            future.set_result(space.indexing.write_checkpoint())
        except EngramError as error:
            # The health of the space says so, once.
            future.set_exception(error)
        except Exception as error:
            if is_new:
                name = space.config.name
                logger.exception("a checkpoint of space %s failed", name, extra={"space": name})
            future.set_exception(error)

    def _compact_if_due(self, space: SpaceEngine) -> bool:
        """Compact the graph of `space` if that is due; return whether it was. A failure keeps no checkpoint from it."""
        is_new = space.indexing.compaction_attempt.failure is None
        try:
            if not self._stopped and space.indexing.compaction_is_due(lambda: space.retention.horizon):
                try:
                    space.indexing.compact(space.retention.horizon, lambda: not self._stopped)
                finally:
                    self._compacted(space)
                return True
        except EngramError:
            # The health of the space says so, once.
            pass
        except Exception:
            if is_new:
                name = space.config.name
                logger.exception("a compaction of the graph of space %s failed", name, extra={"space": name})
        return False

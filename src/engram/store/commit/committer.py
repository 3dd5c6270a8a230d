"""The committer: one thread that writes for all spaces, in group commits (Gray & Reuter).

All requests that are queued while a commit is synced become the next group commit.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from itertools import chain
from time import perf_counter
from typing import Final

from engram.metrics import table
from engram.metrics.histogram import Histogram
from engram.metrics.sample import MetricSample
from engram.store.commit.queue import CommitQueue, CommitRequest, CommitTarget
from engram.store.commit.serial_executor import SerialExecutor

logger: logging.Logger = logging.getLogger(__name__)
# Guards against a queue that loses a wake-up; nothing else depends on it.
_TAKE_TIMEOUT_S: Final = 60.0


class Committer:
    """The thread that takes requests from the queue and commits them to their spaces, from `start` to `stop`.

    Parameters
    ----------
    queue
        The queue of requests. The committer closes it when it stops.
    """

    def __init__(self, queue: CommitQueue) -> None:
        self._queue = queue
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engram-committer", daemon=True)
        self.encoder: Final = SerialExecutor("engram-encoder")
        self._queue_wait: Final = Histogram(table.QUEUE_WAIT)
        self._commit_time: Final = Histogram(table.COMMIT_TIME)
        self._batch_size: Final = Histogram(table.BATCH_SIZE)

    def start(self) -> None:
        """Start the committer thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the queue, commit the requests that are queued, and return when that is done."""
        self._stopping.set()
        self._queue.close()
        self._thread.join()
        self.encoder.stop()

    def samples(self) -> Iterator[MetricSample]:
        """Yield how long requests waited, how long the commits took, and how large they were."""
        return chain(self._queue_wait.samples(), self._commit_time.samples(), self._batch_size.samples())

    def _run(self) -> None:
        while True:
            requests = self._queue.take(_TAKE_TIMEOUT_S)
            if requests:
                self._commit(requests)
            elif self._stopping.is_set():
                return
            # A request references its space, and the space its store. While this thread waits for requests, it must not
            # keep a store alive that is referenced nowhere else.
            del requests

    def _commit(self, requests: list[CommitRequest]) -> None:
        groups: dict[CommitTarget, list[CommitRequest]] = {}
        begin_s = perf_counter()
        for request in requests:
            self._queue_wait.add(begin_s - request.queued_s)
            groups.setdefault(request.space, []).append(request)
        for space, group in groups.items():
            # Before the commit, so that a count that was answered is in it.
            self._batch_size.add(sum(request.count for request in group))
            try:
                space.commit(group)
            except Exception:
                # Every request has been answered by then. The other spaces and later requests still need this thread.
                name = space.config.name
                logger.exception("what follows a commit to space %s failed", name, extra={"space": name})
            end_s = perf_counter()
            self._commit_time.add(end_s - begin_s)
            begin_s = end_s

"""The thread that settles the futures of `Space.submit`, so that what a caller attached to them delays no commit."""

from __future__ import annotations

import logging
import queue
import threading
import time
from concurrent.futures import Future
from typing import Final

from engram.errors import EngramError, OverCapacity
from engram.model.ack import Ack

COUNT_MAX: Final = 100_000
"""Number of answers that may wait before `AnswerThread.wait_for_room` makes callers wait."""

_RETRY_AFTER_MS: Final = 50
_Waiting = tuple[Future[Ack], Ack | EngramError]
logger: logging.Logger = logging.getLogger(__name__)


class AnswerThread:
    """Settles futures in order, on a thread of its own that starts with the first `start` and ends with `stop`.

    Callbacks of a future run where it is settled. They may take long, write to the store, and even close it; all the
    while the committer goes on.

    Parameters
    ----------
    count_max
        Number of answers that may wait before callers have to.
    """

    def __init__(self, count_max: int = COUNT_MAX) -> None:
        self._count_max = count_max
        self._guard = threading.Lock()
        self._room = threading.Condition()
        self._waiters = 0
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stopped = False

    @property
    def is_current(self) -> bool:
        """Whether the calling thread is the one that settles futures, which is so in a callback of a future."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Start the thread if it does not run yet."""
        if self._thread is not None:
            return
        with self._guard:
            if self._thread is not None or self._stopped:
                return
            thread = threading.Thread(target=self._run, name="engram-answers", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # At the end of the interpreter there are no new threads; `put` then settles by itself.
                return
            self._thread = thread

    def wait_for_room(self, timeout_s: float) -> None:
        """Wait while too many answers wait, because callbacks are slower than commits.

        Raises
        ------
        OverCapacity
            If there is no room within `timeout_s`; in a callback, which would wait for itself, at once.
        """
        if self._waiting.qsize() < self._count_max:
            return
        deadline_s = time.monotonic() + timeout_s
        with self._room:
            self._waiters += 1
            try:
                while (count := self._waiting.qsize()) >= self._count_max:
                    left_s = deadline_s - time.monotonic()
                    if self.is_current or left_s <= 0:
                        raise _full(count, self._count_max)
                    self._room.wait(left_s)
            finally:
                self._waiters -= 1

    def put(self, future: Future[Ack], answer: Ack | EngramError) -> None:
        """Have `future` settled with `answer`, after all that were put before."""
        with self._guard:
            if self._thread is not None and not self._stopped:
                self._waiting.put((future, answer))
                return
        _settle(future, answer)

    def stop(self) -> None:
        """Settle all futures and end the thread; in a callback, return before that."""
        with self._guard:
            thread, is_first = self._thread, not self._stopped
            self._stopped = True
            if thread is not None and is_first:
                self._waiting.put(None)
        if thread is not None and not self.is_current:
            thread.join()

    def _run(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            _settle(*waiting)
            # While this thread waits, it must not keep alive what a callback references.
            del waiting
            if self._waiters:
                with self._room:
                    self._room.notify_all()


def _settle(future: Future[Ack], answer: Ack | EngramError) -> None:
    try:
        if isinstance(answer, EngramError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
    except BaseException:
        # Whatever ends a program, such as SystemExit, passes through the callbacks of a future.
        logger.exception("a callback of an answer raised")


def _full(count: int, count_max: int) -> OverCapacity:
    return OverCapacity(
        f"{count} answers wait for the callbacks of earlier ones; at most {count_max} may",
        code="answers_full",
        field="answers",
        limit=count_max,
        value=count,
        retry_after_ms=_RETRY_AFTER_MS,
    )

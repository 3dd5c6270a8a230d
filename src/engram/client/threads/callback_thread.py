"""The thread on which the callbacks of a client's futures run, so that a callback may call the client."""

from __future__ import annotations

import concurrent.futures
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, Final

from engram.client.threads.interruptible_future import InterruptibleFuture
from engram.errors import OverCapacity
from engram.model.ack import Ack

WAITING_MAX: Final = 65_536
"""Callbacks that may wait for their turn before `submit` waits for them."""

_log: Final = logging.getLogger(__name__)


class CallbackThread:
    """Runs callbacks one after the other, in the order in which their futures were answered.

    The event loop of the clients must never run code of the user: a callback that waits for an answer there would wait
    for ever, and all clients with it. The thread starts with the first callback.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engram-callbacks", daemon=True)
        self._guard = threading.Lock()
        self._started = False

    @property
    def is_current(self) -> bool:
        """Whether the caller is a callback on this thread."""
        return threading.current_thread() is self._thread

    @property
    def is_full(self) -> bool:
        """Whether more callbacks wait than `WAITING_MAX`; the thread itself may go on, because only it makes room."""
        return self._queue.qsize() > WAITING_MAX and not self.is_current

    def start(self) -> bool:
        """Start the thread, unless it runs; return False if no thread can be started, as at the end of a program."""
        with self._guard:
            if not self._started:
                try:
                    self._thread.start()
                except RuntimeError:
                    return False
                self._started = True
        return True

    def put(self, callback: Callable[[], object]) -> None:
        """Run `callback` after all that came before it. To be called after `start`."""
        self._queue.put(callback)

    def wait_for_room(self, timeout_s: float) -> None:
        """Wait, if too many callbacks wait, until these have run.

        Raises
        ------
        OverCapacity
            With code ``answers_full``, if they have not within `timeout_s` seconds.
        """
        if self.is_full and not self.finish(timeout_s):
            raise OverCapacity(
                f"{WAITING_MAX} callbacks of observations wait, and there was no room for more within {timeout_s:g} s",
                code="answers_full",
                field="answers",
                limit=WAITING_MAX,
                value=f"more than {WAITING_MAX}",
                retry_after_ms=1000,
            )

    def finish(self, timeout_s: float | None) -> bool:
        """Wait until the callbacks that wait now have run; return whether they have within `timeout_s` seconds.

        A callback itself does not wait, because it would wait for itself.
        """
        if not self._started or self.is_current:
            return True
        done = threading.Event()
        self._queue.put(done.set)
        return done.wait(timeout_s)

    def end(self, timeout_s: float) -> None:
        """Let the callbacks that wait run, and end the thread; log a warning if that takes longer than `timeout_s`."""
        if not self._started:
            return
        self._queue.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("callbacks of observations did not end within %g s", timeout_s)

    def _run(self) -> None:
        while (callback := self._queue.get()) is not None:
            try:
                callback()
            except BaseException:
                _log.exception("a callback of an observation failed")
            # The loop variable would keep the future of the last callback.
            del callback


class AnswerFuture(InterruptibleFuture[Ack]):
    """The future of a blocking client. Callbacks that are added before the answer is there run on `CallbackThread`.

    Parameters
    ----------
    callbacks
        The thread.
    """

    def __init__(self, callbacks: CallbackThread) -> None:
        super().__init__()
        self._callbacks = callbacks

    def add_done_callback(self, fn: Callable[[concurrent.futures.Future[Ack]], Any]) -> None:
        """Call `fn` with this future when it is answered: now if it is, otherwise on the thread for callbacks."""
        if self.done() or not self._callbacks.start():
            super().add_done_callback(fn)
            return
        super().add_done_callback(lambda future: self._callbacks.put(lambda: fn(future)))

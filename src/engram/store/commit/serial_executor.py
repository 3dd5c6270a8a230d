"""A thread that works beside another one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future


class SerialExecutor:
    """Runs what it is given, one after the other, so that its owner can wait for something else meanwhile.

    Not an executor of the standard library: those refuse work as soon as the main thread has ended, while other threads
    of the program may still observe.

    Parameters
    ----------
    name
        Of the thread, which starts with the first piece of work.
    """

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], None], Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def begin(self, work: Callable[[], None]) -> Future[None]:
        """Begin `work`; the future tells when it is done, or how it failed. For one thread at a time."""
        if self._thread.ident is None:
            self._thread.start()
        done: Future[None] = Future()
        self._work.put((work, done))
        return done

    def stop(self) -> None:
        """Return when everything is done and the thread has ended."""
        if self._thread.ident is not None:
            self._work.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            work, done = item
            try:
                work()
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(None)
            # Let go of the work's data now, and not when there is more.
            del item, work, done

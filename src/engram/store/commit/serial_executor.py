"""A thread that runs work for another thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future


class SerialExecutor:
    """Runs functions one after the other on a thread of its own, while its owner waits for something else.

    The executors of the standard library are unsuitable: they refuse work as soon as the main thread has ended, while
    other threads of the program may still observe.

    Parameters
    ----------
    name
        Name of the thread, which starts with the first piece of work.
    """

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], None], Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def begin(self, work: Callable[[], None]) -> Future[None]:
        """Begin `work`; return a future of its end or its failure. Only one thread at a time may call this."""
        if self._thread.ident is None:
            self._thread.start()
        done: Future[None] = Future()
        self._work.put((work, done))
        return done

    def stop(self) -> None:
        """Finish all work and end the thread."""
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
            # Release the data of the work now rather than when the next work comes.
            del item, work, done

"""One event loop on a daemon thread, shared by the blocking clients of a process."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for threads that wait for them.

    One loop for all clients, because gRPC's event machinery serves one loop per process best.
    """

    _shared: LoopThread | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engram-client", daemon=True)
        self._thread.start()

    @classmethod
    def shared(cls) -> LoopThread:
        """The process's loop; a forked child gets one of its own, since threads do not survive a fork."""
        with cls._lock:
            if cls._shared is None or cls._shared._pid != os.getpid():
                cls._shared = cls()
            return cls._shared

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result; interrupting the wait cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return wait(future)


def wait(future: concurrent.futures.Future[T]) -> T:
    """Wait for a future; if the wait is interrupted, as by Ctrl-C, nobody wants its result any more."""
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise

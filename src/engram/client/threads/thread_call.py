"""A coroutine on an event loop, for the result of which a thread waits that may be interrupted at any moment."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class ThreadCall(Generic[T]):
    """One call of a coroutine.

    A future of `concurrent.futures` would not do: its lock is taken by Python code. An interrupt, as by Ctrl-C, may
    come when that has the lock and does not know it yet. The lock is never released then, and the event loop, which
    needs it to set the result, waits for ever, and all clients with it. Here, the thread waits for a lock that the
    event loop releases and never takes.

    Parameters
    ----------
    coroutine
        The coroutine.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None
        # Released once the task has ended.
        self._ended = threading.Lock()
        self._ended.acquire()

    def begin(self) -> None:
        """Begin. Belongs to the event loop."""
        self._task = asyncio.ensure_future(self._coroutine)
        self._task.add_done_callback(lambda _: self._ended.release())

    def leave(self) -> None:
        """Cancel it, because nobody waits any more. Belongs to the event loop; `begin` is not called afterwards."""
        if self._task is None:
            self._coroutine.close()
        else:
            self._task.cancel()

    def wait(self) -> None:
        """Wait for the end. Belongs to one thread."""
        self._ended.acquire()

    def result(self) -> T:
        """Return the result, or raise the error, of a call that has ended."""
        assert self._task is not None  # noqa: S101  (for the type checker: only what has begun ends)
        try:
            return self._task.result()
        except asyncio.CancelledError:
            raise concurrent.futures.CancelledError from None

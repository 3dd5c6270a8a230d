"""Futures for which a thread may wait that is interrupted at any moment, as by Ctrl-C."""

from __future__ import annotations

import concurrent.futures
import threading
from _thread import RLock
from collections import deque
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


class InterruptibleFuture(concurrent.futures.Future[T]):
    """A future that whoever is interrupted while waiting for it leaves as it was.

    The lock of another future is taken by Python code. An interrupt may come when that has the lock and does not know
    it yet. The lock is never released then, and whoever sets the result waits for ever: the event loop of all clients.
    """

    def __init__(self) -> None:
        super().__init__()
        # The functions of `concurrent.futures` use it by this name, too.
        self._condition = _Condition()  # type: ignore[assignment]  # It has all of what futures need.


class _Condition(RLock):  # type: ignore[misc]  # The stubs call it final, which it is not.
    """What a future needs of a `threading.Condition`, with a lock that is taken and released by the interpreter itself.

    A ``with`` statement does not lose such a lock: between taking it and being ready to release it, there is no
    interrupt.
    """

    def __init__(self) -> None:
        self._waiters: deque[threading.Lock] = deque()

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock until `notify_all`, at most for `timeout` seconds; return whether that came."""
        waiter = threading.Lock()
        waiter.acquire()
        self._waiters.append(waiter)
        woken = False
        try:
            self.release()
            woken = waiter.acquire(timeout=-1 if timeout is None else max(timeout, 0.0))
            return woken
        finally:
            self.acquire()
            if not woken:
                # Whoever polls would leave a lock here with each look. `notify_all` may have taken this one meanwhile.
                with suppress(ValueError):
                    self._waiters.remove(waiter)

    def notify_all(self) -> None:
        """Wake all who wait. The caller has the lock."""
        while self._waiters:
            self._waiters.popleft().release()

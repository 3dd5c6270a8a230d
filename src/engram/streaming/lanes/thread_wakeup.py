"""Wakes a thread that has nothing to do, without ever blocking the thread that wakes it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from time import monotonic


class ThreadWakeup:
    """A wake-up signal: one thread sleeps on it, and any thread may call `wake`.

    The inner lock protects no data: it is a binary semaphore. The sleeping thread acquires it and `wake` releases it,
    which never blocks. While no thread sleeps, `wake` only reads a flag.
    """

    def __init__(self) -> None:
        self._semaphore = threading.Lock()
        self._semaphore.acquire()
        self._asleep = False

    def wake(self) -> None:
        """Wake the sleeping thread, if any. Call it after the condition of that thread has become true."""
        if self._asleep:
            # Another thread may have released the semaphore already. One release is enough, and a second one raises.
            with contextlib.suppress(RuntimeError):
                self._semaphore.release()

    def sleep_until(self, ready: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Return when `ready` holds, or after `timeout_s` seconds (None: no timeout)."""
        deadline_s = None if timeout_s is None else monotonic() + timeout_s
        while not ready():
            self._asleep = True
            # Check again after setting the flag: a thread that makes the condition true from now on releases the
            # semaphore; one that did so before did not see the flag.
            if ready():
                break
            # A late release, meant for an earlier sleep, wakes this one too soon; the loop then checks and sleeps
            # again.
            left_s = -1.0 if deadline_s is None else max(0.0, deadline_s - monotonic())
            if not self._semaphore.acquire(timeout=left_s):
                break
        self._asleep = False

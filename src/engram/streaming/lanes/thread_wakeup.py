"""Wakes a thread that found nothing to do, without ever making the waking thread wait."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from time import monotonic


class ThreadWakeup:
    """One thread sleeps on it, any thread may ring it.

    The lock inside guards nothing: it is a binary semaphore. The sleeper acquires it, ringing releases it, and
    releasing never waits. While nobody sleeps, ringing is one look at a flag.
    """

    def __init__(self) -> None:
        self._semaphore = threading.Lock()
        self._semaphore.acquire()
        self._asleep = False

    def ring(self) -> None:
        """Wake the sleeper if there is one. Call it after what he waits for has become true."""
        if self._asleep:
            # Others may have rung since the sleeper looked last. Once is enough.
            with contextlib.suppress(RuntimeError):
                self._semaphore.release()

    def sleep_until(self, ready: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Return when `ready` holds, or after `timeout_s`."""
        deadline_s = None if timeout_s is None else monotonic() + timeout_s
        while not ready():
            self._asleep = True
            # Looked at again now that whoever makes it true will ring.
            if ready():
                break
            # An alarm that rang late, for an earlier sleep, wakes too soon; then the loop looks and sleeps again.
            left_s = -1.0 if deadline_s is None else max(0.0, deadline_s - monotonic())
            if not self._semaphore.acquire(timeout=left_s):
                break
        self._asleep = False

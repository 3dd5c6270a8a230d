"""The pace of background work on the disk: so many bytes a second, and an end when it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable

# A pause shorter than this costs more than it spreads the work.
_PAUSE_MIN_S = 0.005
_PAUSE_MAX_S = 0.1


class Stopped(Exception):
    """The work was told to stop."""


class Pace:
    """Holds back whoever tells it of bytes, so that they are at most so many a second. One thread may use it.

    Parameters
    ----------
    bytes_per_s
        Bytes a second; 0: no limit.
    go_on
        Asked now and then; the work ends once it returns False.
    """

    def __init__(self, bytes_per_s: int, go_on: Callable[[], bool]) -> None:
        self._bytes_per_s = bytes_per_s
        self._go_on = go_on
        self._due_s = time.monotonic()

    def __call__(self, nbytes: int) -> None:
        """Wait until `nbytes` more bytes may be read or written.

        Raises
        ------
        Stopped
            If the work is to end.
        """
        if self._bytes_per_s:
            self._due_s = max(self._due_s, time.monotonic()) + nbytes / self._bytes_per_s
        while self._go_on():
            pause_s = self._due_s - time.monotonic()
            if pause_s < _PAUSE_MIN_S:
                return
            time.sleep(min(pause_s, _PAUSE_MAX_S))
        raise Stopped

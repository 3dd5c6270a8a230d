"""Attempts at work in the background that may fail, and are then made again after a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from engram.errors import EngramError

_RETRY_S: Final = 10.0
# The pause doubles with each failure in a row, up to so many times the first one: five minutes.
_GROWTH_MAX: Final = 30


class Attempt:
    """How the last attempt at one kind of work ended. One thread works, any thread may read.

    Parameters
    ----------
    retry_s
        Seconds after a failure until the work is due again. They double with each further failure, up to thirty times.
    clock
        Returns a time in seconds that only rises.

    Attributes
    ----------
    failure
        Why the last attempt failed, in a sentence; None if it did not.
    """

    def __init__(self, retry_s: float = _RETRY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._retry_s = retry_s
        self._clock = clock
        self._failed_s = 0.0
        self._pause_s = retry_s
        self._is_under_way = False
        self.failure: str | None = None

    @property
    def is_due_again(self) -> bool:
        """Whether the last attempt failed, and long enough ago to make another, which has not begun yet."""
        if self.failure is None or self._is_under_way:
            return False
        return self._clock() - self._failed_s >= self._pause_s

    @property
    def is_resting(self) -> bool:
        """Whether the last attempt failed a short while ago, or another is being made, so that none is to begin now."""
        return self.failure is not None and not self.is_due_again

    @contextmanager
    def made(self) -> Iterator[None]:
        """Do the work of the body and remember how it ends; what it raises is raised."""
        self._is_under_way = True
        try:
            yield
            self.failure = None
        except Exception as error:
            longer_s = min(2 * self._pause_s, self._retry_s * _GROWTH_MAX)
            self._pause_s = self._retry_s if self.failure is None else longer_s
            self._failed_s = self._clock()
            # Not the error itself, which would keep alive what it happened in.
            self.failure = error.message if isinstance(error, EngramError) else f"it ended with {type(error).__name__}"
            raise
        finally:
            self._is_under_way = False

    def forget(self) -> None:
        """Forget a failure: the work is not needed any more."""
        self.failure = None

"""The life of a space under its name, which ends when the space is dropped or renamed, and everybody is told."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from engram.errors import EngramError

T = TypeVar("T")
logger: logging.Logger = logging.getLogger(__name__)

Ended = Callable[[EngramError], None]


class SpaceLife:
    """Says whether a space is still the one that handles, sessions and streams were made for. Any thread may use it.

    The engines of a space that rests now and then share it. A space that is made anew under the name has another one.
    Checking takes no lock.
    """

    def __init__(self) -> None:
        self._error: EngramError | None = None
        self._guard = threading.Lock()
        self._listeners: dict[int, Ended] = {}
        self._keys = 0

    @property
    def is_over(self) -> bool:
        """Whether the space has been dropped or renamed."""
        return self._error is not None

    @property
    def error(self) -> EngramError | None:
        """Why it has ended, for one caller; None if it has not."""
        # Each caller gets its own copy, because raising modifies the exception.
        return copy.copy(self._error)

    def check(self) -> None:
        """Raise why the life of the space has ended, if it has.

        Raises
        ------
        FailedPrecondition
            With code ``space_dropped`` or ``space_renamed``.
        """
        if self._error is not None:
            raise copy.copy(self._error)

    def during(self, find: Callable[[], T]) -> T:
        """Return what `find` finds of the space, unless its life has ended by then, whatever was found.

        Raises
        ------
        FailedPrecondition
            As `check`.
        EngramError
            What `find` raises for another reason.
        """
        self.check()
        try:
            found = find()
        except EngramError:
            self.check()
            raise
        self.check()
        return found

    def end(self, error: EngramError) -> None:
        """End the life of the space with the error that everybody gets from now on. A second call does nothing."""
        with self._guard:
            if self._error is not None:
                return
            self._error = error
            listeners, self._listeners = list(self._listeners.values()), {}
        for listener in listeners:
            _tell(listener, error)

    def when_ended(self, listener: Ended) -> Callable[[], None]:
        """Have `listener` called once with the error when the life ends, or now if it has; return what takes it back.

        It runs on the thread that ends the life, and must not block.
        """
        with self._guard:
            error = self._error
            self._keys += 1
            key = self._keys
            if error is None:
                self._listeners[key] = listener
        if error is not None:
            _tell(listener, error)
        return lambda: self._forget(key)

    def _forget(self, key: int) -> None:
        with self._guard:
            self._listeners.pop(key, None)


def _tell(listener: Ended, error: EngramError) -> None:
    try:
        listener(copy.copy(error))
    except Exception:
        # The others must hear of it, too.
        logger.exception("what follows the end of a space failed")

"""Work that is done on another thread before its result is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """The result of `work`, which begins at once on a thread of its own.

    Where no thread can be had, because there are too many or because the interpreter ends, the work is done by whoever
    asks for the result.

    Parameters
    ----------
    work
        The work. What it raises is raised to whoever asks for the result.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._future: Future[T] = Future()
        self._thread: threading.Thread | None = threading.Thread(target=self._run, name="engram-ahead", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None

    def result(self) -> T:
        """Wait for the result, and return it; to be called once."""
        return self._work() if self._thread is None else self._future.result()

    def end(self) -> None:
        """Wait until the work is over, whatever becomes of it."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._future.set_result(self._work())
        except BaseException as error:
            self._future.set_exception(error)

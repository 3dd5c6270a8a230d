"""The end of the interpreter: what is still open then is closed, in bounded time, with the program's own exit status.

Whoever opens something that should be closed says so with `opened`. At the end, after the program's threads have ended,
everything that is still open is closed, the latest first, on a thread of its own, so that nothing that hangs keeps the
program from ending. That is silent if all went well; if not, what was logged as a warning meanwhile becomes one line on
stderr. What nobody holds any more, and was not closed, is closed by the same thread at once (`abandon`).

A forked child has no such duties: what is open there belongs to its parent.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import os
import queue
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Final, Protocol

ENDING_S: Final = 10.0
"""How long all closing at the end may take."""

_TELLING_S: Final = 2.0

_LOGGER: Final = logging.getLogger("engram")
_LINE_CHARACTERS_MAX: Final = 2000


class Endable(Protocol):
    """Something that is open."""

    def end(self, timeout_s: float) -> None:
        """Close it within about that time; what goes wrong is logged as a warning, with its count and first ids."""
        ...


def opened(thing: Endable, name: str, *, keep: bool = False) -> int:
    """Have `thing` closed when the interpreter ends; returns the key for `closed`.

    Parameters
    ----------
    thing
        Only a weak reference to it is kept.
    name
        What to call it when it cannot be closed in time.
    keep
        Keep it alive until it is closed.
    """
    return _duties.add((lambda: thing) if keep else weakref.ref(thing), name)


def closed(key: int) -> None:
    """Note that what was opened under `key` is closed."""
    _duties.things.pop(key, None)


def abandon(thing: Endable, name: str) -> None:
    """Close, soon and on another thread, what nobody holds any more. For ``__del__``: takes no lock, never raises."""
    _duties.abandon(thing, name)


def report(message: str) -> None:
    """Have `message` told when the interpreter ends, in the one line there is."""
    _duties.reports.append(message)


class _Duties:
    """What one process has to close."""

    def __init__(self) -> None:
        self.process: Final = os.getpid()
        # By key, in the order of opening: what returns the thing, or None if it is gone, and its name.
        self.things: Final[dict[int, tuple[Callable[[], Endable | None], str]]] = {}
        self.reports: Final[list[str]] = []
        self._keys = itertools.count(1)
        self._guard = threading.Lock()
        self._work: Final[queue.SimpleQueue[Callable[[], None] | None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_registered = False

    def add(self, find: Callable[[], Endable | None], name: str) -> int:
        key = next(self._keys)
        self.things[key] = find, name
        if not self._is_registered:
            with self._guard:
                self._register()
        return key

    def abandon(self, thing: Endable, name: str) -> None:
        if self._thread is None:
            return
        key = next(self._keys)
        self.things[key] = (lambda: thing), name
        self._work.put(lambda: self._end(key, ENDING_S))

    def run(self) -> None:
        """Close everything; return when that is done, or time is up."""
        if os.getpid() != self.process:
            return
        deadline_s = time.monotonic() + ENDING_S
        with _collected(self.reports):
            hurry = ""
            try:
                if not self._run_aside(deadline_s):
                    hurry = f"within {ENDING_S:g} s"
            except KeyboardInterrupt:
                hurry = "before the program was interrupted"
            left = [name for find, name in list(self.things.values()) if find() is not None]
            if hurry and left:
                self.reports.append(f"{' and '.join(left)} could not be closed {hurry}")
        _tell(self.reports)
        self.reports.clear()
        if hurry:
            # There is one line, and it has been said. What is late has nobody to tell.
            _LOGGER.addHandler(logging.NullHandler())
            _LOGGER.propagate = False

    def _register(self) -> None:
        """Start the thread while threads can be started, which is not so at the end, and ask to be called then."""
        if self._is_registered:
            return
        self._is_registered = True
        thread = threading.Thread(target=self._serve, name="engram-ending", daemon=True)
        # Without it, whatever is open is closed by the thread that ends the interpreter.
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._thread = thread
        atexit.register(self.run)
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            # A child of multiprocessing that was forked ends without what `atexit` has.
            from multiprocessing.util import Finalize  # noqa: PLC0415 - only where it is there already.

            Finalize(None, self._run_in_child, exitpriority=-100)

    def _run_in_child(self) -> None:
        for thread in threading.enumerate():
            if not thread.daemon and thread not in (threading.main_thread(), threading.current_thread()):
                thread.join()
        self.run()

    def _run_aside(self, deadline_s: float) -> bool:
        """Close everything on the thread for that; False if there was not enough time."""
        done = threading.Event()

        def work() -> None:
            # What cannot be closed in time should still be able to say what it could not do.
            self._end_all(deadline_s - _TELLING_S)
            done.set()

        if self._thread is None:
            work()
        else:
            self._work.put(work)
        return done.wait(max(0.0, deadline_s - time.monotonic()))

    def _end_all(self, deadline_s: float) -> None:
        # Closing one thing may open another.
        while keys := list(self.things):
            self._end(max(keys), max(0.0, deadline_s - time.monotonic()))

    def _end(self, key: int, timeout_s: float) -> None:
        find, name = self.things.get(key, (lambda: None, ""))
        thing = find()
        try:
            if thing is not None:
                thing.end(timeout_s)
        except Exception as error:
            _LOGGER.warning("%s could not be closed: %s", name, error)
        finally:
            self.things.pop(key, None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            # Let go of what was closed now, and not when there is more to close.
            del work


class _Collector(logging.Handler):
    """Keeps the messages of warnings."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._messages.append(record.getMessage() + (f": {error!r}" if error else ""))


@contextlib.contextmanager
def _collected(messages: list[str]) -> Iterator[None]:
    """Collect warnings, which a program that has not set up logging would find on stderr, each on lines of its own."""
    collector = _Collector(messages)
    _LOGGER.addHandler(collector)
    try:
        yield
    finally:
        _LOGGER.removeHandler(collector)


def _tell(messages: list[str]) -> None:
    if not messages:
        return
    line = " ".join("; ".join(dict.fromkeys(messages)).split())[:_LINE_CHARACTERS_MAX]
    # Whoever closed stderr does not want to know.
    with contextlib.suppress(Exception):
        print(f"engram: {line}", file=sys.stderr, flush=True)


def _forget() -> None:
    global _duties  # noqa: PLW0603 - one process, one set of duties.
    _duties = _Duties()


_duties = _Duties()
os.register_at_fork(after_in_child=_forget)

"""Closing of objects that are still open when the interpreter ends, in bounded time.

An object that should be closed is registered with `opened`. At the end of the interpreter, after the program's threads
have ended, all objects that are still open are closed, the latest first. A separate thread closes them within
`ENDING_S`, so that an object that hangs cannot keep the program from ending. The exit status stays that of the program.
Nothing is printed if all objects were closed without a warning; otherwise the warnings are printed as one line on
stderr. The same thread closes objects that were garbage-collected without being closed (`abandon`).

A forked child closes nothing of its parent, because the objects belong to the parent.
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
"""Seconds that closing everything at the end may take."""

_PRINTING_S: Final = 2.0

_LOGGER: Final = logging.getLogger("engram")
_LINE_CHARACTERS_MAX: Final = 2000


class Endable(Protocol):
    """An open object that can be closed."""

    def end(self, timeout_s: float) -> None:
        """Close the object within about `timeout_s` seconds; log losses as a warning with their count and first ids."""
        ...


def opened(thing: Endable, name: str, *, keep: bool = False, left: str = "") -> int:
    """Register `thing` to be closed when the interpreter ends; return the key for `closed`.

    Parameters
    ----------
    thing
        The open object.
    name
        Name of the object in the message if it cannot be closed in time.
    keep
        Whether to keep the object alive until it is closed; otherwise only a weak reference is held.
    left
        What it means if the object cannot be closed in time, for the same message.
    """
    return _registry.add((lambda: thing) if keep else weakref.ref(thing), name, left)


def closed(key: int) -> None:
    """Remove the object that was registered under `key`, because it is closed."""
    _registry.things.pop(key, None)


def abandon(thing: Endable, name: str) -> None:
    """Close `thing` soon, on another thread. For use in ``__del__``: takes no lock and never raises."""
    _registry.abandon(thing, name)


def report(message: str) -> None:
    """Add `message` to the line that is printed when the interpreter ends."""
    _registry.reports.append(message)


class _Registry:
    """The objects that one process has to close."""

    def __init__(self) -> None:
        self.process: Final = os.getpid()
        # Keys ascend in the order of opening. A value is a function that returns the object, or None if it is gone, and
        # the name of the object, and what it means if it stays open.
        self.things: Final[dict[int, tuple[Callable[[], Endable | None], str, str]]] = {}
        self.reports: Final[list[str]] = []
        self._keys = itertools.count(1)
        self._guard = threading.Lock()
        self._work: Final[queue.SimpleQueue[Callable[[], None] | None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_registered = False

    def add(self, find: Callable[[], Endable | None], name: str, left: str) -> int:
        key = next(self._keys)
        self.things[key] = find, name, left
        if not self._is_registered:
            with self._guard:
                self._register()
        return key

    def abandon(self, thing: Endable, name: str) -> None:
        if self._thread is None:
            return
        key = next(self._keys)
        self.things[key] = (lambda: thing), name, ""
        self._work.put(lambda: self._end(key, ENDING_S))

    def run(self) -> None:
        """Close everything; return when all is closed or `ENDING_S` is over."""
        if os.getpid() != self.process:
            return
        deadline_s = time.monotonic() + ENDING_S
        with _collected(self.reports):
            cut_short = ""
            try:
                if not self._run_aside(deadline_s):
                    cut_short = f"within {ENDING_S:g} s"
            except KeyboardInterrupt:
                cut_short = "before the program was interrupted"
            open_still = [(name, left) for find, name, left in list(self.things.values()) if find() is not None]
            if cut_short and open_still:
                names = " and ".join(name for name, _ in open_still)
                self.reports.append(f"{names} could not be closed {cut_short}")
                self.reports.extend(left for _, left in open_still if left)
        _print_line(self.reports)
        self.reports.clear()
        if cut_short:
            # The line has been printed. Objects that are closed later must not print another one.
            _LOGGER.addHandler(logging.NullHandler())
            _LOGGER.propagate = False

    def _register(self) -> None:
        """Register `run` with `atexit` and start the thread now, because none can be started at the end."""
        if self._is_registered:
            return
        self._is_registered = True
        thread = threading.Thread(target=self._serve, name="engram-ending", daemon=True)
        # If no thread can be started, the thread that ends the interpreter closes everything.
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._thread = thread
        atexit.register(self.run)
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            # A forked child of multiprocessing ends without running the functions of `atexit`.
            from multiprocessing.util import Finalize  # noqa: PLC0415 - only if multiprocessing is already loaded.

            Finalize(None, self._run_in_child, exitpriority=-100)

    def _run_in_child(self) -> None:
        for thread in threading.enumerate():
            if not thread.daemon and thread not in (threading.main_thread(), threading.current_thread()):
                thread.join()
        self.run()

    def _run_aside(self, deadline_s: float) -> bool:
        """Close everything on the separate thread; return False if there was not enough time."""
        done = threading.Event()

        def work() -> None:
            # The margin lets an object that cannot be closed in time report what it could not do.
            self._end_all(deadline_s - _PRINTING_S)
            done.set()

        if self._thread is None:
            work()
        else:
            self._work.put(work)
        return done.wait(max(0.0, deadline_s - time.monotonic()))

    def _end_all(self, deadline_s: float) -> None:
        # Closing one object may open another.
        while keys := list(self.things):
            self._end(max(keys), max(0.0, deadline_s - time.monotonic()))

    def _end(self, key: int, timeout_s: float) -> None:
        find, name, _ = self.things.get(key, (lambda: None, "", ""))
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
            # Release the closed object now; the loop variable would hold it until the next object comes.
            del work


class _Collector(logging.Handler):
    """A logging handler that collects the messages of warnings."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._messages.append(record.getMessage() + (f": {error!r}" if error else ""))


@contextlib.contextmanager
def _collected(messages: list[str]) -> Iterator[None]:
    """Add warnings to `messages`; without a handler, Python would print each of them on stderr."""
    collector = _Collector(messages)
    _LOGGER.addHandler(collector)
    try:
        yield
    finally:
        _LOGGER.removeHandler(collector)


def _print_line(messages: list[str]) -> None:
    if not messages:
        return
    line = " ".join("; ".join(dict.fromkeys(messages)).split())[:_LINE_CHARACTERS_MAX]
    # If stderr is closed, there is no other place for the message.
    with contextlib.suppress(Exception):
        print(f"engram: {line}", file=sys.stderr, flush=True)


def _forget() -> None:
    global _registry  # noqa: PLW0603 - each process has one instance.
    _registry = _Registry()


_registry = _Registry()
os.register_at_fork(after_in_child=_forget)

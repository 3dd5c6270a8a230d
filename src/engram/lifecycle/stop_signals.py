"""The signals that ask the process of a server to end, understood from its first moment to its last.

The first one ends it in order: what is in flight is answered, checkpoints are written. A second one is answered in one
line and changes nothing, for whoever sent it may just not have seen the first. A third one insists: the process ends at
once, says what it skips, and loses nothing that was acknowledged. A process that is not ready yet has nothing to put in
order and ends at the first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

EXIT_SKIPPED: Final = 1
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class EndSignals:
    """What becomes of the signals of this process. Belongs to the main thread; there is one, see `of_process`."""

    _of_process: EndSignals | None = None

    def __init__(self) -> None:
        self._stop: Callable[[], object] | None = None
        self._count = 0

    @classmethod
    def of_process(cls) -> EndSignals:
        """The one of this process, which handles the signals from now on."""
        if cls._of_process is None:
            cls._of_process = cls()
            cls._of_process._install()
        return cls._of_process

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold signals back while the process may start over; the process that it becomes handles them."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def hand_to(self, stop: Callable[[], object]) -> None:
        """Have `stop` called by the first signal from now on, since there is something to put in order."""
        self._stop = stop

    def finish(self) -> None:
        """Ignore what comes now: everything is in order, and only the interpreter has to end."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def handle(self, number: int, _: FrameType | None = None) -> None:
        """Do what a signal asks for."""
        self._count += 1
        name = signal.Signals(number).name
        if self._stop is None:
            _tell(f"ended by {name} before it was ready")
            os._exit(0)
        elif self._count == 1:
            self._stop()
        elif self._count == 2:
            _tell(f"{name}: the server is ending already; one more signal ends it without checkpoints")
        else:
            _tell(
                f"{name}: ended without answering calls under way and without checkpoints; what was acknowledged is in "
                "the log, and the next start takes longer"
            )
            os._exit(EXIT_SKIPPED)

    def _install(self) -> None:
        for number in _SIGNALS:
            # Whoever starts a process with nohup wants it to outlive the terminal.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.handle)
        # Held back by the process that this one was, before it started over.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _tell(message: str) -> None:
    # Past all buffers and locks, which whatever was interrupted may hold.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.write(sys.stderr.fileno(), f"engram: {message}\n".encode())

"""The signals that end a server process: SIGTERM, SIGINT and SIGHUP, handled from its start to its end.

The first signal shuts the server down in order: calls in flight are answered and checkpoints are written. The second
signal prints one line and changes nothing, because its sender may not know of the first. The third signal ends the
process at once; it prints what is skipped, and nothing that was acknowledged is lost. A process that is not ready yet
has nothing to shut down and ends at the first signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

EXIT_SKIPPED: Final = 1
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Each signal is one byte; what is left is received in the next step of the loop.
_WAKING_BYTES_MAX: Final = 64


class EndSignals:
    """The signal handler of this process. It belongs to the main thread; `of_process` returns the only instance."""

    _of_process: EndSignals | None = None

    def __init__(self) -> None:
        self._stop: Callable[[], object] | None = None
        self._count = 0

    @classmethod
    def of_process(cls) -> EndSignals:
        """Return the instance of this process; the first call installs it as signal handler."""
        if cls._of_process is None:
            cls._of_process = cls()
            cls._of_process._install()
        return cls._of_process

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Block the signals while the process may replace itself by `exec`; the new program handles them."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    @contextlib.contextmanager
    def waking(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Wake `loop`, which runs on the main thread, by each signal.

        Only the main thread handles signals. One that another thread receives, or that arrives just before the loop
        waits, would otherwise be handled when the loop next has something to do.
        """
        sender, receiver = socket.socketpair()
        with sender, receiver:
            sender.setblocking(False)
            receiver.setblocking(False)
            loop.add_reader(receiver, receiver.recv, _WAKING_BYTES_MAX)
            before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
            try:
                yield
            finally:
                signal.set_wakeup_fd(before)
                loop.remove_reader(receiver)

    def hand_to(self, stop: Callable[[], object]) -> None:
        """Have the first signal call `stop` from now on, because there is something to shut down."""
        self._stop = stop

    def finish(self) -> None:
        """Ignore all further signals: the server is shut down, and only the interpreter has to end."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def handle(self, number: int, _: FrameType | None = None) -> None:
        """Handle signal `number` as the module describes."""
        self._count += 1
        name = signal.Signals(number).name
        if self._stop is None:
            _print_line(f"ended by {name} before it was ready")
            os._exit(0)
        elif self._count == 1:
            self._stop()
        elif self._count == 2:
            _print_line(f"{name}: the server is ending already; one more signal ends it without checkpoints")
        else:
            _print_line(
                f"{name}: ended without answering calls under way and without checkpoints; what was acknowledged is in "
                "the log, and the next start takes longer"
            )
            os._exit(EXIT_SKIPPED)

    def _install(self) -> None:
        # A signal that comes between two of these handlers waits for the last one; `held` may have blocked them before.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for number in _SIGNALS:
            # nohup ignores SIGHUP so that the process outlives its terminal; keep it ignored.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.handle)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _print_line(message: str) -> None:
    # Write to the descriptor, because the interrupted code may hold the locks of buffered streams.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.write(sys.stderr.fileno(), f"engram: {message}\n".encode())

"""A program on a terminal of its own."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

from tests.integration.server_process import TIMEOUT_S


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command: list[str], cwd: Path, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        environ = {**os.environ, "TERM": "xterm", "LINES": "40", "COLUMNS": "120", **variables}
        self.process = subprocess.Popen(command, cwd=cwd, env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.text = ""

    def read_until(self, wanted: str) -> None:
        """Read until the terminal shows `wanted`."""
        while wanted not in self.text:
            assert self._read(), self.text

    def end(self, number: int) -> int:
        """Send a signal, read all that is left, and return the exit code."""
        self.process.send_signal(number)
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(TIMEOUT_S)

    def _read(self) -> bool:
        try:
            some = os.read(self._ours, 65_536).decode(errors="replace")
        except OSError:
            # Linux says so when nobody has the other side open any more.
            return False
        self.text += some
        return bool(some)

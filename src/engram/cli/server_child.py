"""A server in a child process, started and stopped by a command."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from engram.errors import Unavailable

_READY_S_MAX: Final = 60.0
_STOP_S_MAX: Final = 20.0
_POLL_S: Final = 0.02
_LOG_CHARACTERS_MAX: Final = 2000


class ServerChild:
    """``engram serve`` on free ports of the loopback interface, as a context manager that starts and stops it.

    Started again, it answers HTTP at the same port, so that a page that shows it goes on.

    Parameters
    ----------
    data
        The data directory.
    log
        File to which the output of the server is appended.

    Raises
    ------
    Unavailable
        If the server does not start; the message ends with the last output of the server.
    """

    def __init__(self, data: Path, log: Path) -> None:
        self._data = data
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._http_port = 0
        self.address: str = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the server; 0 if the server is not running."""
        return self._process.pid if self._process is not None else 0

    @property
    def http_address(self) -> str:
        """Address of HTTP, at which the page is; it stays the same when the server is started again."""
        return f"http://127.0.0.1:{self._http_port}"

    def start(self) -> None:
        """Start the server and wait until it is ready, for at most 60 s.

        Raises
        ------
        Unavailable
            If the server does not start; the message ends with the last output of the server.
        """
        port_file = self._log.with_suffix(".port")
        port_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "engram", "serve", "--data", str(self._data), "--host", "127.0.0.1"]
        ports = ["--port", "0", "--http", "--http-port", str(self._http_port), "--port-file", str(port_file)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - starts this program itself.
                [*command, *ports],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C must reach only the command, which then stops the server itself.
                start_new_session=True,
            )
        try:
            self._wait_until_ready(self._process, port_file)
        except BaseException:
            # After any error, including Ctrl-C, nothing else would stop the server.
            self.stop()
            raise
        port, http_port = map(int, port_file.read_text().split())
        self.address = f"127.0.0.1:{port}"
        self._http_port = http_port

    def _wait_until_ready(self, process: subprocess.Popen[bytes], port_file: Path) -> None:
        deadline_s = time.monotonic() + _READY_S_MAX
        while not port_file.exists():
            if process.poll() is not None or time.monotonic() > deadline_s:
                self.stop()
                last = self._log.read_text(errors="replace")[-_LOG_CHARACTERS_MAX:].strip()
                raise Unavailable(f"the server did not start; it said: {last}", code="server_not_started")
            # The server writes the file and tells nobody; the deadline above bounds the wait.
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """Kill the server with SIGKILL: like a crash, without warning and without clean-up."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ask the server to end; kill it if it has not ended after 20 s."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

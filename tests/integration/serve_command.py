"""``engram serve`` as a person starts it, with all that it writes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.integration.server_process import TIMEOUT_S

_ADDRESS: Final = re.compile(r" at (?:http://)?(127\.0\.0\.1:\d+)")
_SERVE: Final = ("-m", "engram", "serve", "--port", "0", "--http-port", "0", "--dim", "16", "--embedder", "lexical")


class ServeCommand:
    """A server in a process of its own that answers gRPC and HTTP on free ports.

    Parameters
    ----------
    folder
        Its working directory.
    arguments
        Further options of ``engram serve``.
    command
        What Python runs instead. It has to print both addresses, as ``engram serve`` does.
    environ
        Further environment variables. Those of OpenTelemetry are not passed on.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        command: tuple[str, ...] = (*_SERVE, "--data", "data"),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        self._errors = folder / "stderr"
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, *command, *arguments],
                cwd=folder,
                env={**inherited, **(environ or {})},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout is not None
        found = [_ADDRESS.search(self._process.stdout.readline()) for _ in range(2)]
        if None in found:
            self.kill()
            raise AssertionError(f"the server did not start: {self._errors.read_text()}")
        self.grpc, self.http = (address[1] for address in found if address is not None)

    def stop(self) -> tuple[list[str], list[str]]:
        """End the server in order; return the lines that it wrote after it was ready, and those on standard error."""
        self._process.send_signal(signal.SIGTERM)
        try:
            said, _ = self._process.communicate(timeout=TIMEOUT_S)
        finally:
            self.kill()
        complaints = self._errors.read_text()
        assert self._process.returncode == 0, complaints
        return said.splitlines(), complaints.splitlines()

    def kill(self) -> None:
        """End the process at once, if it still runs."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

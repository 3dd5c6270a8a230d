"""The same store behind a server, asked by a client: what the examiner needs of either."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Protocol

from engram.client import Client
from engram.errors import EngramError
from engram.model.cue import CueLike
from engram.model.damage import Damage
from engram.model.hit import Hit
from engram.model.strength import Strength

_TIMEOUT_S: Final = 60.0


class Askable(Protocol):
    """A space that questions are asked of."""

    @property
    def generation(self) -> int:
        """The newest visible generation."""

    def recall(
        self,
        cue: CueLike,
        k: int = 10,
        *,
        max_generation: int | None = None,
        ef: int | None = None,
        strength: Strength | None = None,
    ) -> list[Hit]:
        """The best hits."""


class ServedSpace:
    """A space on a server."""

    def __init__(self, address: str, name: str) -> None:
        self._client = Client(address, space=name)

    @property
    def generation(self) -> int:
        """The newest visible generation."""
        return self._client.space_status().visible_generation

    def recall(self, cue: CueLike, k: int = 10, **options: Any) -> list[Hit]:
        """The best hits, with their vectors."""
        return self._client.recall(cue, k, include_vectors=True, **options)

    def close(self) -> None:
        """Leave the server."""
        self._client.close()


class ServedStore:
    """A server on a directory, as a process of its own.

    Parameters
    ----------
    path
        The data directory.
    """

    unsound: Final[dict[str, EngramError]] = {}

    def __init__(self, path: Path) -> None:
        self._spaces: dict[str, ServedSpace] = {}
        command = [sys.executable, "-m", "engram.server", "--data", str(path), "--port", "0", "--no-http"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if " ready at " not in line:
            self._process.kill()
            raise RuntimeError(f"the server did not start: {line}")
        self._address = line.rpartition(" ")[2].strip()

    def space(self, name: str, create: bool = False) -> ServedSpace:
        """The space called `name`."""
        if name not in self._spaces:
            self._spaces[name] = ServedSpace(self._address, name)
        return self._spaces[name]

    def damages(self) -> tuple[Damage, ...]:
        """What was found; the server keeps that to itself until the directory is opened again."""
        return ()

    def close(self) -> None:
        """End the server as one ends a server, which must be its end and no other."""
        for space in self._spaces.values():
            space.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(_TIMEOUT_S)
        finally:
            self._process.kill()
            assert self._process.stdout is not None
            self._process.stdout.close()
        if code:
            raise RuntimeError(f"the server ended with {code}")

"""The stores whose spaces are named: in a directory, in memory, and with spaces that rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engram.store import MemoryStore
from tests.doubles.named_spaces import QUIET, RESTING


@pytest.fixture(params=["file", "memory", "resting"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryStore]:
    path = None if request.param == "memory" else tmp_path / "data"
    with MemoryStore(path, options=RESTING if request.param == "resting" else QUIET) as opened:
        yield opened

"""What tests of the commands share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def in_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings file of the working directory takes part."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)

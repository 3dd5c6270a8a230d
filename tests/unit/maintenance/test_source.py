"""What is known of a space without reading its log: missing and unreadable are two things."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from engram.errors import Unavailable
from engram.log.files.file_storage import FileStorage
from engram.maintenance.source import describe, opened_source
from engram.store import MemoryStore


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with MemoryStore(tmp_path / "data") as store:
        store.space("notes", dim=8)
    return tmp_path / "data"


def test_a_directory_that_is_gone_is_missing(data: Path) -> None:
    shutil.rmtree(data / "spaces" / "notes")
    with opened_source(data) as catalogue:
        error = describe(catalogue, "notes").error
    assert error is not None
    assert error.code == "missing_description"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_a_directory_that_cannot_be_read_is_not_missing(
    data: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def failing(_: FileStorage) -> list[str]:
        raise OSError(number, "not now")

    with opened_source(data) as catalogue:
        monkeypatch.setattr(FileStorage, "names", failing)
        error = describe(catalogue, "notes").error
    assert isinstance(error, Unavailable)
    assert "spaces/notes" in error.message

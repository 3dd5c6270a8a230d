"""Paths that lead nowhere, or where this user may not go, are typed errors in every tool."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engram.errors import EngramError, InvalidInput
from engram.maintenance.backups.backup import backup
from engram.maintenance.backups.restore import restore
from engram.maintenance.repairs.repair import repair
from engram.maintenance.verify import verify
from tests.doubles.damaged import SPACE, make_store
from tests.doubles.rightless import answer_without_rights, give

# Each takes a directory with what is good, and a path that is not.
READING: dict[str, Callable[[Any, Any], object]] = {
    "verify": lambda _, bad: verify(bad),
    "backup": lambda good, bad: backup(bad, good / "new"),
    "repair": lambda good, bad: repair(bad, good / "new"),
    "restore": lambda good, bad: restore(bad, good / "new"),
}
WRITING: dict[str, Callable[[Any, Any], object]] = {
    "backup to": lambda good, bad: backup(good / "data", bad),
    "repair to": lambda good, bad: repair(good / "data", bad),
    "restore to": lambda good, bad: restore(good / "backup", bad),
}
ALL = {**READING, **WRITING}


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that anybody may enter, unlike those of pytest, with a store and its backup, owned by the child."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        make_store(path / "data", seed=1, batches=3)
        backup(path / "data", path / "backup")
        for within in (path, *path.rglob("*")):
            give(within, 0o755 if within.is_dir() else 0o644)
        yield path
        # Who is no superuser could not remove it otherwise. Each folder before it is looked into.
        path.chmod(0o755)
        for folder, folders, _ in os.walk(path):
            for name_within in folders:
                (Path(folder) / name_within).chmod(0o755)


@pytest.mark.parametrize("tool", ALL)
@pytest.mark.parametrize("bad", ["a\0b", "", None, 5])
def test_what_is_no_path_is_refused(place: Path, tool: str, bad: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        ALL[tool](place, bad)
    assert caught.value.code == "invalid_path"
    assert not (place / "new").exists()


@pytest.mark.parametrize("tool", ALL)
def test_links_in_a_circle_are_a_typed_error(place: Path, tool: str) -> None:
    (place / "circle").symlink_to("circle")
    with pytest.raises(EngramError):
        ALL[tool](place, place / "circle")


@pytest.mark.parametrize("tool", ALL)
def test_where_this_user_may_not_look_is_said(place: Path, tool: str) -> None:
    closed = place / "closed"
    (closed / "data").mkdir(parents=True)
    give(closed / "data", 0o755)
    give(closed, 0o000)
    answer = answer_without_rights(lambda: ALL[tool](place, closed / "data"), closed)
    assert answer.startswith("Unavailable read_only not permitted while "), answer
    assert str(closed) in answer


@pytest.mark.parametrize("tool", WRITING)
def test_a_directory_that_may_not_be_listed_is_said(place: Path, tool: str) -> None:
    closed = place / "new"
    closed.mkdir()
    give(closed, 0o300)
    answer = answer_without_rights(lambda: WRITING[tool](place, closed), closed)
    assert answer.startswith("Unavailable read_only not permitted while "), answer


@pytest.mark.parametrize("folder", ["spaces", f"spaces/{SPACE}", f"spaces/{SPACE}/log"])
@pytest.mark.parametrize("tool", ["verify", "backup", "repair"])
def test_a_folder_of_the_data_that_may_not_be_read_is_no_surprise(place: Path, tool: str, folder: str) -> None:
    closed = give(place / "data" / folder, 0o000)
    answer = answer_without_rights(lambda: READING[tool](place, place / "data"), closed)
    assert not answer.startswith("unexpected"), answer

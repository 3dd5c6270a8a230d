"""A data directory that this user may not use: refused with the name of the file and the right that is missing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engram.errors import Unavailable
from engram.log.files.os_errors import typed_failures
from engram.store import MemoryStore
from tests.doubles.rightless import NOBODY, answer_without_rights, give

DIM = 8


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that anybody may enter, unlike those of pytest, and whose content belongs to the child."""
    with tempfile.TemporaryDirectory() as name:
        path = give(Path(name), 0o755)
        yield path
        # Who is no superuser could not remove it otherwise. Each folder before it is looked into.
        path.chmod(0o755)
        for folder, folders, _ in os.walk(path):
            for name_within in folders:
                (Path(folder) / name_within).chmod(0o755)


@pytest.fixture
def filled(place: Path) -> Path:
    """A store of one observation, the child's property."""
    data = place / "data"
    with MemoryStore(data) as store:
        store.space("notes", dim=DIM).observe(["a"], np.ones((1, DIM), np.float32))
    for path in (data, *data.rglob("*")):
        give(path, 0o755 if path.is_dir() else 0o644)
    return data


def opened(path: Path) -> str:
    """Runs in the child."""
    with MemoryStore(path) as store:
        return f"opened with {store.space('notes', dim=DIM).generation}"


def test_the_owner_opens_it(filled: Path) -> None:
    # Otherwise the refusals below could have any reason.
    assert answer_without_rights(lambda: opened(filled)) == "opened with 1"


def refusal(path: Path, denied: Path) -> str:
    answer = answer_without_rights(lambda: opened(path), denied)
    assert answer.startswith("Unavailable read_only not permitted while opening "), answer
    user = NOBODY if os.geteuid() == 0 else os.geteuid()
    assert f"user {user} needs the right" in answer
    return answer


def test_a_directory_that_may_not_be_read(filled: Path) -> None:
    assert str(filled) in refusal(filled, give(filled, 0o000))


@pytest.mark.parametrize("name", ["spaces", "spaces/notes", "spaces/notes/log"])
def test_a_directory_within_that_may_not_be_read(filled: Path, name: str) -> None:
    denied = give(filled / name, 0o000)
    answer = answer_without_rights(lambda: opened(filled), denied)
    assert answer.startswith("Unavailable read_only not permitted while "), answer
    assert str(denied) in answer


def test_a_directory_that_may_not_be_written(place: Path) -> None:
    give(place, 0o555)
    answer = answer_without_rights(lambda: opened(place))
    assert answer.startswith("Unavailable read_only not permitted while opening "), answer
    assert str(place / "LOCK") in answer


def test_a_directory_that_may_not_be_made(place: Path) -> None:
    give(place, 0o555)
    answer = answer_without_rights(lambda: opened(place / "new" / "data"))
    assert answer.startswith("Unavailable read_only not permitted while opening "), answer
    assert str(place / "new") in answer


def test_a_parent_that_may_not_be_searched(filled: Path) -> None:
    assert str(filled) in refusal(filled, give(filled.parent, 0o600) / "data")


@pytest.mark.parametrize("mode", [0o444, 0o000])
def test_a_lock_that_may_not_be_written(filled: Path, mode: int) -> None:
    give(filled / "LOCK", mode)
    answer = answer_without_rights(lambda: opened(filled))
    assert answer.startswith("Unavailable read_only not permitted while opening "), answer
    assert str(filled / "LOCK") in answer


@pytest.mark.parametrize("pattern", ["*/space.json", "*/log/*.log"])
def test_a_file_that_may_not_be_read(filled: Path, pattern: str) -> None:
    (path,) = (filled / "spaces").glob(pattern)
    answer = answer_without_rights(lambda: opened(filled), give(path, 0o000))
    assert answer.startswith("Unavailable read_only not permitted while "), answer
    assert str(path) in answer


def test_a_refused_opening_leaves_the_directory_to_others(filled: Path) -> None:
    give(filled / "spaces", 0o000)

    def twice() -> str:
        with pytest.raises(Unavailable):
            MemoryStore(filled)
        (filled / "spaces").chmod(0o755)
        return opened(filled)

    assert answer_without_rights(twice) == "opened with 1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can be two users")
def test_a_directory_that_another_user_has_open(filled: Path) -> None:
    # Whoever shares a directory shares its lock file, too.
    (filled / "LOCK").chmod(0o666)
    with MemoryStore(filled):
        answer = answer_without_rights(lambda: opened(filled))
    assert answer.startswith(f"StoreLocked store_locked data directory {filled} is in use by process {os.getpid()} ")


def test_a_file_where_a_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "spaces").touch()
    with pytest.raises(Unavailable, match="something else is in the way") as refused:
        MemoryStore(tmp_path)
    assert refused.value.code == "in_the_way"
    assert str(tmp_path / "spaces") in refused.value.message


def test_a_file_system_that_is_read_only_is_no_want_of_rights() -> None:
    with pytest.raises(Unavailable, match="cannot write while writing") as refused, typed_failures("writing"):
        raise OSError(30, "Read-only file system", "/data/LOCK")
    assert refused.value.code == "read_only"

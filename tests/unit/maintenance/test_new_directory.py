"""A new data directory appears as a whole or not at all, and nothing of anybody else goes for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engram.errors import AlreadyExists
from engram.maintenance.new_directory import UNFINISHED, new_directory
from tests.doubles.damaged import everything_in


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.mkdir()
    return path


@pytest.mark.parametrize("name", ["unfinished", UNFINISHED])
def test_a_folder_of_somebody_else_is_an_obstacle_and_stays(tmp_path: Path, source: Path, name: str) -> None:
    (tmp_path / "new" / name).mkdir(parents=True)
    (tmp_path / "new" / name / "letter.txt").write_text("mine")
    before = everything_in(tmp_path)
    with pytest.raises(AlreadyExists, match=name) as caught, new_directory(tmp_path / "new", source, {}):
        pass
    assert caught.value.code == "directory_not_empty"
    assert everything_in(tmp_path) == before


def test_a_link_by_our_name_is_an_obstacle_and_stays(tmp_path: Path, source: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "letter.txt").write_text("mine")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "LOCK").touch()
    (tmp_path / "new" / UNFINISHED).symlink_to(tmp_path / "theirs")
    with pytest.raises(AlreadyExists), new_directory(tmp_path / "new", source, {}):
        pass
    assert (tmp_path / "new" / UNFINISHED / "letter.txt").read_text() == "mine"


def test_what_fails_leaves_nothing(tmp_path: Path, source: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_directory(tmp_path / "new", source, {}) as target:
        target.complete(str(target.space("notes") and 1 / 0))
    assert not (tmp_path / "new").exists()


def test_what_an_interrupted_call_left_is_removed(tmp_path: Path, source: Path) -> None:
    left = tmp_path / "new" / UNFINISHED / "spaces"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    (tmp_path / "new" / "LOCK").touch()
    with new_directory(tmp_path / "new", source, {}) as target:
        target.complete("00" * 16)
        target.publish()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["LOCK", "spaces", "store.json"]

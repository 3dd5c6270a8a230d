"""What others leave in a data directory, such as file managers and file systems, keeps nothing from opening."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engram.errors import NotFound, Unavailable
from engram.store import MemoryStore

DIM = 8
ROWS = 20


def fill(path: Path) -> None:
    vectors = np.random.default_rng(1).standard_normal((ROWS, DIM), dtype=np.float32)
    with MemoryStore(path) as store:
        store.space("notes", dim=DIM).observe([str(row) for row in range(ROWS)], vectors)


def a_file(name: str) -> Callable[[Path], None]:
    def leave(path: Path) -> None:
        (path / name).write_bytes(b"\x00\x01Bud1 whatever")

    return leave


def a_folder(name: str) -> Callable[[Path], None]:
    def leave(path: Path) -> None:
        (path / name).mkdir()
        (path / name / "something").write_text("of somebody")

    return leave


def a_folder_nobody_may_enter(path: Path) -> None:
    (path / "locked.away").mkdir(mode=0o000)


def a_link_to_nowhere(path: Path) -> None:
    (path / "nowhere").symlink_to(path / "gone")


STRANGERS = {
    ".DS_Store": a_file(".DS_Store"),
    "Thumbs.db": a_file("Thumbs.db"),
    "._notes": a_file("._notes"),
    "a file with the name of a space": a_file("readme"),
    "a file left half-written": a_file("space.json.tmp"),
    "a file with a name that is no text": a_file("\udcff\udcfe.bin"),
    "lost+found": a_folder("lost+found"),
    "a folder that nobody may enter": a_folder_nobody_may_enter,
    "a folder with no name of a space": a_folder("Old Backup"),
    "a folder with the name of a space": a_folder("backup"),
    "a folder of a snapshot": a_folder(".snapshot"),
    "a link to nowhere": a_link_to_nowhere,
}
PLACES = ["", "spaces", "spaces/notes", "spaces/notes/log", "spaces/notes/checkpoints"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_strangers_are_left_alone(tmp_path: Path, place: str, stranger: Callable[[Path], None]) -> None:
    fill(tmp_path)
    before = set(tmp_path.rglob("*"))
    stranger(tmp_path / place)
    # What an interrupted write of the description left is no stranger: the next write takes its place.
    strangers = set(tmp_path.rglob("*")) - before - {tmp_path / "spaces/notes/space.json.tmp"}
    # Twice: what the first opening and its checkpoint do must not trip over them either.
    for count in (ROWS, ROWS + 1):
        with MemoryStore(tmp_path) as store:
            assert [space.config.name for space in store.spaces()] == ["notes"]
            space = store.space("notes")
            assert space.stats().live_count == count
            space.observe([f"new-{count}"], np.ones((1, DIM), np.float32))
    assert set(tmp_path.rglob("*")) >= strangers


def test_a_new_directory_may_have_strangers(tmp_path: Path) -> None:
    for stranger in STRANGERS.values():
        stranger(tmp_path)
    fill(tmp_path)
    with MemoryStore(tmp_path) as store:
        assert store.space("notes").generation == ROWS


def test_a_file_that_has_the_name_of_a_space_is_none_and_is_in_the_way_of_one(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "spaces/readme").write_text("not ours")
    with MemoryStore(tmp_path) as store:
        with pytest.raises(NotFound):
            store.space("readme", create=False)
        for _ in range(2):
            with pytest.raises(Unavailable, match="something else is in the way") as refusal:
                store.space("readme", dim=DIM)
            assert refusal.value.code == "in_the_way"
            assert str(tmp_path / "spaces/readme") in refusal.value.message
        assert store.space("other", dim=DIM).generation == 0
    assert (tmp_path / "spaces/readme").read_text() == "not ours"

"""A store works on the directory that it opened, whatever happens to its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engram.errors import CorruptData, EngramError, Unavailable
from engram.store import MemoryStore, StoreOptions
from tests.doubles.batches import DIM
from tests.doubles.stored_ids import live_ids, observe
from tests.doubles.waiting import wait_until_indexed

ROWS = [f"id-{row}" for row in range(200)]


def test_a_renamed_directory_and_a_new_store_at_the_old_path_lose_nothing(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with MemoryStore(old) as first:
        observe(first.space("notes", dim=DIM), *ROWS)
        old.rename(new)
        observe(first.space("notes"), "after the renaming")
        with MemoryStore(old) as second:
            observe(second.space("notes", dim=DIM), "of the second")
            observe(first.space("notes"), "of the first")
            observe(first.space("more", dim=DIM), "in a new space")
    with MemoryStore(new) as store:
        assert live_ids(store.space("notes")) == sorted([*ROWS, "after the renaming", "of the first"])
        assert live_ids(store.space("more")) == ["in a new space"]
        assert store.scrub() == ()
    with MemoryStore(old) as store:
        assert live_ids(store.space("notes")) == ["of the second"]
        assert store.scrub() == ()


def test_a_directory_made_anew_gets_nothing_of_the_store_that_had_the_name(tmp_path: Path) -> None:
    path = tmp_path / "data"
    store = MemoryStore(path)
    space = store.space("notes", dim=DIM)
    observe(space, *ROWS)
    wait_until_indexed(space)
    shutil.rmtree(path)
    with MemoryStore(path) as other:
        observe(other.space("notes", dim=DIM), "of the other")
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    store.close()
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    with MemoryStore(path) as other:
        assert live_ids(other.space("notes")) == ["of the other"]


def test_a_relative_path_means_what_it_meant_when_it_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with MemoryStore("data", options=StoreOptions(segment_bytes=1 << 16)) as store:
        space = store.space("notes", dim=DIM)
        observe(space, "before")
        monkeypatch.chdir("/")
        for number in range(20):
            observe(space, *(f"{number}-{row}" for row in range(200)))
        observe(store.space("other", dim=DIM), "x")
        store.checkpoint()
    with MemoryStore(tmp_path / "data") as store:
        assert store.space("notes").stats().live_count == 4001
        assert live_ids(store.space("other")) == ["x"]


def remove_all(path: Path) -> None:
    shutil.rmtree(path)


def remove_the_space(path: Path) -> None:
    shutil.rmtree(path / "spaces" / "notes")


def remove_the_segments(path: Path) -> None:
    for file in (path / "spaces" / "notes" / "log").iterdir():
        file.unlink()


@pytest.mark.parametrize("remove", [remove_all, remove_the_space, remove_the_segments])
def test_what_is_gone_takes_no_more_writes(tmp_path: Path, remove: Callable[[Path], None]) -> None:
    store = MemoryStore(tmp_path / "data")
    space = store.space("notes", dim=DIM)
    observe(space, "a")
    remove(tmp_path / "data")
    for _ in range(2):
        with pytest.raises(Unavailable) as refusal:
            observe(space, "lost")
        assert refusal.value.code == "log_failed"
    # What was stored can still be recalled, as the file lives on without a name.
    assert live_ids(space) == ["a"]
    if remove is not remove_all:
        observe(store.space("other", dim=DIM), "b")
    store.close()


@pytest.mark.parametrize("remove", [remove_the_space, remove_the_segments])
def test_what_is_gone_is_told_by_the_scrub_and_when_it_is_opened_again(
    tmp_path: Path, remove: Callable[[Path], None]
) -> None:
    with MemoryStore(tmp_path / "data") as store:
        observe(store.space("notes", dim=DIM), "a")
        observe(store.space("other", dim=DIM), "b")
        remove(tmp_path / "data")
        assert {damage.space for damage in store.scrub()} == {"notes"}
    with MemoryStore(tmp_path / "data") as store:
        assert live_ids(store.space("other")) == ["b"]
        with pytest.raises(CorruptData) as report:
            store.space("notes", dim=DIM)
        assert report.value.code in ("missing_space", "missing_segment")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to count descriptors")
def test_closing_lets_go_of_every_descriptor(tmp_path: Path) -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = opened()
    for number in range(3):
        with MemoryStore(tmp_path / "data", read_only=number == 2) as store:
            if number < 2:
                observe(store.space(f"space-{number}", dim=DIM), "a")
        assert opened() == before


def test_a_space_from_an_older_time_is_refused(tmp_path: Path) -> None:
    data, older = tmp_path / "data", tmp_path / "older"
    with MemoryStore(data) as store:
        observe(store.space("notes", dim=DIM), "a")
    shutil.copytree(data / "spaces" / "notes", older)
    with MemoryStore(data) as store:
        observe(store.space("notes"), "b")
    shutil.rmtree(data / "spaces" / "notes")
    older.rename(data / "spaces" / "notes")
    with MemoryStore(data) as store:
        with pytest.raises(EngramError, match="ends with generation 1, but 2 was durable") as report:
            store.space("notes")
        assert report.value.code == "older_space"

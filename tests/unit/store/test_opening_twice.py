"""A directory that is opened again in one process is the same store, counted."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engram
from engram.errors import FailedPrecondition, InvalidInput, StoreLocked
from engram.store import MemoryStore, StoreOptions
from engram.store.store_engine import StoreEngine

DIM = 4


def observe(store: Any, *ids: str) -> None:
    store.space("notes", dim=DIM).observe(list(ids), np.ones((len(ids), DIM)))


def count_in(store: Any) -> int:
    return int(store.space("notes", dim=DIM).stats().live_count)


def test_both_are_one_store_until_the_last_is_closed(tmp_path: Path) -> None:
    first, second = MemoryStore(tmp_path), MemoryStore(tmp_path)
    observe(first, "a")
    assert count_in(second) == 1
    first.close()
    first.close()
    for refused in (first.space, first.scrub, first.checkpoint):
        with pytest.raises(FailedPrecondition) as error:
            refused()
        assert error.value.code == "closed"
    observe(second, "b")
    space = second.space("notes")
    second.close()
    with pytest.raises(FailedPrecondition):
        space.observe("c", np.ones(DIM))
    with MemoryStore(tmp_path) as third:
        assert count_in(third) == 2


@pytest.mark.parametrize("spelling", ["relative", "dots", "slash", "symlink", "path"])
def test_whatever_path_leads_there(spelling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    other: Any = {
        "relative": "data",
        "dots": tmp_path / "data" / ".." / "data",
        "slash": f"{tmp_path}/data/",
        "symlink": tmp_path / "link",
        "path": Path("data"),
    }[spelling]
    with MemoryStore(tmp_path / "data") as first, MemoryStore(other) as second, engram.connect(other) as third:
        observe(first, "a")
        assert count_in(second) == count_in(third) == 1


def test_a_new_directory_in_the_place_of_one_that_was_moved_is_another(tmp_path: Path) -> None:
    with MemoryStore(tmp_path / "data") as first:
        observe(first, "a")
        (tmp_path / "data").rename(tmp_path / "moved")
        with MemoryStore(tmp_path / "data") as second, MemoryStore(tmp_path / "moved") as third:
            assert (count_in(second), count_in(third)) == (0, 1)


def test_stores_in_memory_are_all_different() -> None:
    with MemoryStore(None) as first, MemoryStore(None) as second:
        observe(first, "a")
        assert count_in(second) == 0


@pytest.mark.parametrize(
    ("field", "again"),
    [
        ("read_only", {"read_only": True}),
        ("tail_count_max", {"options": StoreOptions(tail_count_max=777)}),
        ("drain_s", {"options": StoreOptions(drain_s=0.5)}),
    ],
)
def test_other_options_are_refused_by_name(field: str, again: dict[str, Any], tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        observe(store, "a")
        with pytest.raises(StoreLocked, match=rf"open in this process with {field} = ") as error:
            MemoryStore(tmp_path, **again)
        assert error.value.field == field
        with pytest.raises(InvalidInput):
            MemoryStore(tmp_path, options={})  # type: ignore[arg-type]  # The mistake under test.
        observe(store, "b")
    with MemoryStore(tmp_path, **again) as store:
        assert count_in(store) == 2


def test_equal_options_are_the_same(tmp_path: Path) -> None:
    with (
        MemoryStore(tmp_path, options=StoreOptions(tail_count_max=777)) as first,
        MemoryStore(tmp_path, options=StoreOptions(tail_count_max=777)) as second,
    ):
        observe(first, "a")
        assert count_in(second) == 1


def test_many_threads_open_and_close_it_at_once(tmp_path: Path) -> None:
    starts, problems = threading.Barrier(8), []

    def use(number: int) -> None:
        starts.wait(30)
        try:
            for turn in range(5):
                with MemoryStore(tmp_path, options=StoreOptions(drain_s=0.0)) as store:
                    observe(store, f"{number}-{turn}")
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert problems == []
    with MemoryStore(tmp_path) as store:
        assert count_in(store) == 40


def test_one_that_is_dropped_without_a_close_counts_no_longer(tmp_path: Path) -> None:
    dropped, kept = MemoryStore(tmp_path), MemoryStore(tmp_path)
    del dropped
    gc.collect()
    kept.close()
    # The directory is free, so a server or a command may have it.
    StoreEngine(tmp_path).close()


def test_a_space_keeps_its_store_open(tmp_path: Path) -> None:
    space = MemoryStore(tmp_path).space("notes", dim=DIM)
    gc.collect()
    with MemoryStore(tmp_path) as other:
        observe(other, "a")
    space.observe("b", np.ones(DIM))
    assert space.stats().live_count == 2
    space._store.close()  # type: ignore[attr-defined]  # Nobody else has it.


def test_a_cell_of_a_notebook_is_run_again(tmp_path: Path) -> None:
    cell = "store = MemoryStore(path); space = store.space('notes', dim=4); space.observe('a', np.ones(4))"
    names: dict[str, Any] = {"MemoryStore": MemoryStore, "np": np, "path": tmp_path}
    for _ in range(3):
        exec(cell, names)  # noqa: S102  (What a notebook does.)
    assert names["space"].stats().live_count == 1
    names["store"].close()


async def test_coroutines_share_it_with_blocking_code(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        first, second = await asyncio.gather(engram.connect_async(tmp_path), engram.connect_async(tmp_path))
        async with first, second:
            observe(store, "a")
            space = await first.space("notes")
            assert await space.get("a") is not None
            assert (await (await second.space("notes")).recall(np.ones(DIM)))[0].id == "a"


def test_an_engine_that_is_open_is_in_use(tmp_path: Path) -> None:
    with StoreEngine(tmp_path), pytest.raises(StoreLocked, match="by this very process"):
        MemoryStore(tmp_path)


def test_a_forked_child_does_not_have_what_its_parent_opened(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        observe(store, "a")
        child = os.fork()
        if child == 0:  # pragma: no cover  (another process)
            code = 1
            try:
                MemoryStore(tmp_path)
            except StoreLocked as error:
                code = 0 if str(os.getppid()) in error.message else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        observe(store, "b")


def test_another_process_does_not_share_it(tmp_path: Path) -> None:
    program = "import sys; from engram import MemoryStore; MemoryStore(sys.argv[1])"
    with MemoryStore(tmp_path), MemoryStore(tmp_path):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode != 0
    assert "StoreLocked" in done.stderr

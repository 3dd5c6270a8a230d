"""A directory that is opened read-only answers everything, refuses every write, and stays as it is to the byte."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest

from engram.errors import NotFound, StoreLocked, Unavailable
from engram.store import MemoryStore, StoreOptions
from tests.doubles.damaged import DIM, SPACE, copied, everything_in, logs_of, make_store, write, zero
from tests.doubles.old_formats import unpack_format

# Opens the directory "data" of the working directory without the rights of its owner, and uses it.
BYSTANDER = """
import os, sys
import numpy as np
from engram.errors import Unavailable
from engram.maintenance.verify import verify
from engram.store import MemoryStore
if os.geteuid() == 0 and sys.argv[1] == "drop":
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
try:
    open("data/spaces/probe", "w")
except OSError:
    pass
else:
    sys.exit("the directory can be written")
with MemoryStore("data", read_only=True) as store:
    space = store.space("notes", create=False)
    print(space.stats().live_count, len(space.recall(np.ones(8), k=5)), not store.scrub())
    try:
        space.observe(["x"], np.ones((1, 8)))
    except Unavailable as error:
        print(error.code)
print(verify("data").is_sound)
"""


def old_store(path: Path) -> Path:
    unpack_format(1, path)
    return next(found.parent for found in path.rglob("spaces") if found.is_dir())


def closed(path: Path) -> Path:
    make_store(path / "data", seed=4, batches=20)
    return path / "data"


def without_checkpoints(path: Path) -> Path:
    data = closed(path)
    for file in (data / "spaces" / SPACE / "checkpoints").iterdir():
        file.unlink()
    return data


def without_lock_file(path: Path) -> Path:
    data = closed(path)
    (data / "LOCK").unlink()
    return data


def left_by_kill(path: Path) -> Path:
    """As a killed process leaves it: no mark of a clean stop, and a next segment that is prepared."""
    with MemoryStore(path / "live", options=StoreOptions(segment_bytes=32 << 20)) as store:
        space = store.space(SPACE, dim=DIM)
        write(space, Random(2), 5)
        big = np.ones((5000, DIM), np.float32)
        for turn in range(4):
            space.observe([f"{turn}-{n}" for n in range(5000)], big, ["t" * 1200] * 5000)
        return copied(path / "live", path / "data")


def torn(path: Path) -> Path:
    with MemoryStore(path / "live") as store:
        space = store.space(SPACE, dim=DIM)
        write(space, Random(2), 5)
        space._engine.leave_mark()
        space.observe(["torn"], np.ones((1, DIM)), ["t" * 3000])
        copied(path / "live", path / "data")
    file = logs_of(path / "data")[-1]
    place = file.read_bytes().find(b"t" * 3000)
    zero(file, place + 512 - place % 512, 512)
    return path / "data"


def empty_space(path: Path) -> Path:
    with MemoryStore(path / "data") as store:
        store.space(SPACE, dim=DIM)
    return path / "data"


MAKERS = [closed, without_checkpoints, without_lock_file, left_by_kill, torn, empty_space, old_store]


@pytest.mark.parametrize("make", MAKERS)
def test_nothing_in_it_changes(make: Callable[[Path], Path], tmp_path: Path) -> None:
    data = make(tmp_path)
    before = everything_in(data)
    with MemoryStore(data, read_only=True) as store:
        assert not store.unsound
        for space in store.spaces():
            count = space.stats().live_count
            hits = space.recall(np.ones(space.config.dim), k=5)
            assert len(hits) == min(5, count)
            with pytest.raises(Unavailable) as caught:
                space.observe(["x"], np.ones((1, space.config.dim)))
            assert caught.value.code == "read_only"
            with pytest.raises(Unavailable) as caught:
                space.observe("x", np.ones(space.config.dim), if_absent=True)
            assert caught.value.code == "read_only"
            with pytest.raises(Unavailable) as caught:
                space.update("never", content="x")
            assert caught.value.code == "read_only"
            if hits:
                with pytest.raises(Unavailable) as caught:
                    space.delete([hits[0].id])
                assert caught.value.code == "read_only"
            assert len(space.recall(np.ones(space.config.dim), k=5)) == len(hits)
        with pytest.raises(Unavailable) as caught:
            store.space("another", dim=DIM)
        assert caught.value.code == "read_only"
        assert all(damage.file.startswith("checkpoints/") for damage in store.scrub())
        store.checkpoint()
    assert everything_in(data) == before
    # What it answered is what a writer finds.
    with MemoryStore(data, read_only=True) as read, MemoryStore(copied(data, tmp_path / "copy")) as written:
        for space in read.spaces():
            assert written.space(space.config.name).stats().live_count == space.stats().live_count


def test_many_may_read_while_nobody_writes(tmp_path: Path) -> None:
    data = closed(tmp_path)
    with MemoryStore(data, read_only=True), MemoryStore(data, read_only=True), pytest.raises(StoreLocked):
        MemoryStore(data)
    with MemoryStore(data), pytest.raises(StoreLocked):
        MemoryStore(data, read_only=True)


def test_what_is_no_data_directory_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no data directory"):
        MemoryStore(tmp_path, read_only=True)
    with pytest.raises((NotFound, Unavailable)):
        MemoryStore(tmp_path / "none", read_only=True)
    assert list(tmp_path.iterdir()) == []


def run_bystander(command: list[str], directory: Path) -> list[str]:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_directory_of_another_user_is_read(tmp_path: Path) -> None:
    data = closed(tmp_path)
    tmp_path.chmod(0o755)
    if os.geteuid() != 0:
        for folder in (data, *(path for path in data.rglob("*") if path.is_dir())):
            folder.chmod(0o555)
    before = everything_in(data)
    with MemoryStore(data, read_only=True) as store:
        live = store.space(SPACE).stats().live_count
    said = run_bystander([sys.executable, "-c", BYSTANDER, "drop"], tmp_path)
    assert said == [str(live), str(min(5, live)), "True", "read_only", "True"]
    assert everything_in(data) == before


def test_a_read_only_file_system_is_read(tmp_path: Path) -> None:
    data = closed(tmp_path)
    mount = "mount --bind data data && mount -o remount,ro,bind data"
    enter = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    try:
        possible = subprocess.run([*enter, "sh", "-c", mount], cwd=tmp_path, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unshare to make a read-only mount with")
    if possible.returncode != 0:
        pytest.skip("this machine does not let us make a read-only mount")
    before = everything_in(data)
    with MemoryStore(data, read_only=True) as store:
        live = store.space(SPACE).stats().live_count
    command = f'{mount} && cd . && exec "$0" -c "$1" stay'
    said = run_bystander([*enter, "sh", "-c", command, sys.executable, BYSTANDER], tmp_path)
    assert said == [str(live), str(min(5, live)), "True", "read_only", "True"]
    assert everything_in(data) == before

"""Backups beside a process that writes and is killed; backups, restores and repairs that are killed themselves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from engram.maintenance.backups.backup import backup
from engram.maintenance.backups.restore import restore
from engram.maintenance.repairs.repair import repair
from engram.maintenance.verify import verify
from engram.store import MemoryStore
from tests.doubles.damaged import SPACE, everything_in, flip, logs_of, make_store

DIM = 16
# Observes without end and says after each answer how far it is; every text says its generation.
WRITER = """
import sys
import numpy as np
from engram.store import MemoryStore, StoreOptions
store = MemoryStore(sys.argv[1], options=StoreOptions(segment_bytes=256 << 10, checkpoint_count_min=500))
space = store.space("notes", dim=16)
turn = 0
while True:
    turn += 1
    first = space.generation + 1
    count = 1 + turn * 37 % 200
    rows = range(first, first + count)
    vectors = np.array([[row % 97 + 1.0] * 15 + [row] for row in rows], np.float32)
    print(space.observe([f"id-{row % 5000}" for row in rows], vectors, [f"text {row}" for row in rows]), flush=True)
"""
# Runs one of the tools and kills itself at its n-th step on the disk.
KILLED = """
import os, signal, sys
from engram.maintenance.backups.backup import backup
from engram.maintenance.repairs.repair import repair
from engram.maintenance.backups.restore import restore
left = int(sys.argv[4])
def counted(call):
    def called(*arguments, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **named)
    return called
for name in ("fsync", "replace", "rename", "unlink", "pwrite"):
    setattr(os, name, counted(getattr(os, name)))
{"backup": backup, "restore": restore, "repair": repair}[sys.argv[1]](sys.argv[2], sys.argv[3])
"""


@contextmanager
def writer(path: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()


def run_killed(tool: str, source: Path, target: Path, step: int) -> bool:
    """Run a tool that dies at a step; whether it lived to its end."""
    command = [sys.executable, "-c", KILLED, tool, str(source), str(target), str(step)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == 0


def check_restored(path: Path, generation: int) -> None:
    """A restored store has exactly what was written up to a generation."""
    assert verify(path).is_sound
    with MemoryStore(path, read_only=True) as store:
        space = store.space(SPACE, create=False)
        assert space.generation == generation
        for number in range(0, min(5000, generation), 7):
            newest = generation - number
            hit = space.get(f"id-{newest % 5000}")
            assert hit is not None
            assert (hit.generation, hit.content) == (newest, f"text {newest}")
            assert hit.vector is not None
            assert hit.vector[15] == newest


def test_backups_beside_a_writer_hold_what_it_was_told_is_stored(tmp_path: Path) -> None:
    with writer(tmp_path / "data") as (process, answers):
        for number in range(3):
            acknowledged = int(answers.readline())
            # One segment more each time, besides the last, which nothing is written to yet.
            while len(logs_of(tmp_path / "data")) < number + 2:
                acknowledged = int(answers.readline())
            report = backup(tmp_path / "data", tmp_path / "backup")
            assert report.is_complete
            generation = report.spaces[SPACE].generation
            assert generation >= acknowledged
            restore(tmp_path / "backup", tmp_path / f"restored{number}")
            check_restored(tmp_path / f"restored{number}", generation)
        assert report.kept_bytes > 0
        process.kill()
        last = [int(line) for line in answers.read().split("\n")[:-1]]
    # A process that was killed left whatever it left; all that it acknowledged is in the next backup.
    report = backup(tmp_path / "data", tmp_path / "backup")
    assert report.is_complete
    assert report.spaces[SPACE].generation >= max([acknowledged, *last])
    restore(tmp_path / "backup", tmp_path / "restored")
    check_restored(tmp_path / "restored", report.spaces[SPACE].generation)
    assert verify(tmp_path / "data").is_sound


def test_a_damaged_space_beside_a_writer_is_named_and_the_backup_before_it_stays(tmp_path: Path) -> None:
    with writer(tmp_path / "data") as (_, answers):
        answers.readline()
        while len(logs_of(tmp_path / "data")) < 2:
            answers.readline()
        earlier = backup(tmp_path / "data", tmp_path / "backup").spaces[SPACE].generation
        flip(logs_of(tmp_path / "data")[0], 2000)
        report = backup(tmp_path / "data", tmp_path / "another")
        assert report.refused[SPACE].code == "corrupt_data"
        assert report.damages[0].file == f"log/{logs_of(tmp_path / 'data')[0].name}"
    restore(tmp_path / "backup", tmp_path / "restored")
    check_restored(tmp_path / "restored", earlier)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "engram", *map(str, arguments)]
    return subprocess.run(whole, capture_output=True, text=True, timeout=120, check=False)


def test_the_commands_beside_a_writer(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with writer(data) as (process, answers):
        acknowledged = int(answers.readline())
        for tool in (["verify", data], ["repair", data, tmp_path / "new"]):
            refused = command(*tool)
            assert refused.returncode == 3
            assert f"in use by process {process.pid}" in refused.stderr
        done = command("backup", data, tmp_path / "backup", "--json")
        assert done.returncode == 0, done.stderr
        backed_up = json.loads(done.stdout)["spaces"][SPACE]
        assert backed_up >= acknowledged
        while int(answers.readline()) <= backed_up:
            pass
    assert command("verify", data).returncode == 0
    done = command("restore", tmp_path / "backup", data)
    assert done.returncode == 2
    assert "is newer" in done.stderr
    assert command("restore", tmp_path / "backup", tmp_path / "restored").returncode == 0
    check_restored(tmp_path / "restored", backed_up)


@pytest.mark.parametrize("step", [1, 2, 3, 5, 8, 13, 21, 34, 55])
def test_a_backup_that_is_killed_leaves_the_one_before(tmp_path: Path, step: int) -> None:
    data = tmp_path / "data"
    make_store(data, seed=1, batches=15)
    before = backup(data, tmp_path / "backup").spaces[SPACE].generation
    with MemoryStore(data) as store:
        space = store.space(SPACE)
        for _ in range(3):
            space.observe([f"new-{n}" for n in range(100)], np.ones((100, 8)), ["new"] * 100)
    is_done = run_killed("backup", data, tmp_path / "backup", step)
    restored = restore(tmp_path / "backup", tmp_path / "restored").spaces[SPACE]
    assert restored == before + 300 if is_done else restored in (before, before + 300)
    assert backup(data, tmp_path / "backup").spaces[SPACE].generation == before + 300
    assert len(list((tmp_path / "backup" / "segments").iterdir())) == len(logs_of(data))


@pytest.mark.parametrize("tool", ["restore", "repair"])
@pytest.mark.parametrize("step", [1, 2, 3, 5, 8, 13, 21, 34, 55])
def test_a_restore_or_repair_that_is_killed_can_be_repeated(tmp_path: Path, tool: str, step: int) -> None:
    data = tmp_path / "data"
    make_store(data, seed=1, batches=15)
    backup(data, tmp_path / "backup")
    source = data if tool == "repair" else tmp_path / "backup"
    before = everything_in(source)
    new = tmp_path / "new"
    if not run_killed(tool, source, new, step) and not (new / "spaces").exists():
        (repair if tool == "repair" else restore)(source, new)
    # Killed while it put things in place, all of the spaces are there.
    assert everything_in(source) == before
    with MemoryStore(data, read_only=True) as one, MemoryStore(new) as two:
        assert not two.unsound
        assert two.space(SPACE, create=False).generation == one.space(SPACE).generation
        assert two.space(SPACE).stats().live_count == one.space(SPACE).stats().live_count
    shutil.rmtree(new)

"""The data directory belongs to one process at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engram.errors import StoreLocked
from engram.log.lock import DirectoryLock

HOLDER = """
import sys
from pathlib import Path
from engram.log.lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def start_holder(path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_another_process_is_named(tmp_path: Path) -> None:
    with start_holder(tmp_path) as holder:
        with pytest.raises(StoreLocked, match=rf"process {holder.pid}\b") as refusal:
            DirectoryLock(tmp_path)
        assert refusal.value.code == "store_locked"
        holder.kill()


def test_a_killed_process_leaves_nothing_behind(tmp_path: Path) -> None:
    with start_holder(tmp_path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        DirectoryLock(tmp_path).release()


def test_the_same_process_cannot_open_twice(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    with pytest.raises(StoreLocked, match=str(os.getpid())):
        DirectoryLock(tmp_path)
    lock.release()
    lock.release()
    DirectoryLock(tmp_path).release()


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    child_is_up, tell_parent = os.pipe()
    wait_for_parent, let_child_go = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover  (another process)
        os.close(let_child_go)
        os.write(tell_parent, b"x")
        os.read(wait_for_parent, 1)
        os._exit(0)
    os.read(child_is_up, 1)
    descriptor, lock._descriptor = lock._descriptor, None
    assert descriptor is not None
    # Closing without unlocking is what the end of the parent process amounts to.
    os.close(descriptor)
    DirectoryLock(tmp_path).release()
    os.close(let_child_go)
    assert os.waitpid(child, 0)[1] == 0
    for end in (child_is_up, tell_parent, wait_for_parent):
        os.close(end)


def test_an_unwritable_directory_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DirectoryLock(tmp_path / "missing")

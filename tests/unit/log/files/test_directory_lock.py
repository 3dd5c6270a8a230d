"""The data directory belongs to one process at a time."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engram.errors import StoreLocked
from engram.log.files.directory_lock import DirectoryLock
from tests.doubles.rightless import answer_of_child
from tests.doubles.waiting import TIMEOUT_S

HOLDER = """
import sys
from pathlib import Path
from engram.log.files.directory_lock import DirectoryLock
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
    with pytest.raises(StoreLocked, match=r"by this very process \(\d+, opened at [\d-]+ [\d:]+\+00:00\)") as refusal:
        DirectoryLock(tmp_path)
    assert refusal.value.value == f"pid {os.getpid()}"
    # By whichever name.
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(StoreLocked, match="by this very process"):
        DirectoryLock(tmp_path / "link")
    lock.release()
    lock.release()
    DirectoryLock(tmp_path).release()


def test_of_threads_that_open_at_once_one_succeeds_and_the_others_are_told(tmp_path: Path) -> None:
    for _ in range(50):
        barrier = threading.Barrier(4)

        def attempt(barrier: threading.Barrier = barrier) -> DirectoryLock | str:
            barrier.wait(TIMEOUT_S)
            try:
                return DirectoryLock(tmp_path)
            except StoreLocked as error:
                return error.message

        with ThreadPoolExecutor(4) as threads:
            attempts = [threads.submit(attempt) for _ in range(4)]
        taken = [result for each in attempts if isinstance(result := each.result(), DirectoryLock)]
        refused = [result for each in attempts if isinstance(result := each.result(), str)]
        assert (len(taken), len(refused)) == (1, 3)
        assert all("by this very process" in message for message in refused), refused
        taken[0].release()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # What a killed process left, while its successor is about to write its own.
        ("99999999 {host} 2026-01-01 00:00:00+00:00\n", "by another process, which is not visible from here"),
        # The holder has our number, so it is of another namespace of processes.
        ("{pid} {host} 2026-01-01 00:00:00+00:00\n", "by another process, which is not visible from here"),
        ("1 elsewhere 2026-01-01 00:00:00+00:00\n", "process 1 of host or container elsewhere (opened at 2026-01-01"),
        # As written by earlier versions.
        ("{parent}", "by process {parent}"),
        ("", "by another process, which has not said its name"),
        ("\x00\x00", "by another process, which has not said its name"),
        ("-1 x", "by another process, which has not said its name"),
        ("9" * 500, "by another process, which is not visible from here"),
    ],
)
def test_a_holder_that_is_not_who_the_file_says(tmp_path: Path, text: str, told: str) -> None:
    names = {"host": socket.gethostname(), "pid": os.getpid(), "parent": os.getppid()}
    with start_holder(tmp_path) as holder:
        (tmp_path / "LOCK").write_text(text.format(**names))
        with pytest.raises(StoreLocked) as refusal:
            DirectoryLock(tmp_path)
        assert told.format(**names) in refusal.value.message
        holder.kill()


def test_a_lock_that_cannot_say_whose_it_is_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space left"):
            DirectoryLock(tmp_path)
    DirectoryLock(tmp_path).release()


def test_a_child_is_told_that_its_parent_has_the_directory(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    parent = os.getpid()
    answer = answer_of_child(lambda: DirectoryLock(tmp_path))
    assert f"by process {parent} " in answer
    lock.release()


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

"""A file that cannot be read any more does not end the process that has it mapped. Each case runs in a process of its
own: what is tried here ends processes where it fails."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engram import _core

PAGES = 64
PAGE = 4096
BEGIN = """
import ctypes, faulthandler, mmap, os, signal, sys, threading
import numpy as np
from engram import _core
PAGE = 4096
path = sys.argv[1]
def map_file(pages=64, random_reads=True):
    with open(path, "wb") as file:
        file.write(b"\\x07" * (pages * PAGE))
    fd = os.open(path, os.O_RDWR)
    try:
        return _core.Mapping(fd, pages * PAGE, random_reads)
    finally:
        os.close(fd)
def foreign_fault():
    with open(path + "-foreign", "wb") as file:
        file.write(bytes(2 * PAGE))
    with open(path + "-foreign", "r+b") as file:
        foreign = mmap.mmap(file.fileno(), 2 * PAGE)
        os.truncate(path + "-foreign", PAGE)
        return foreign[PAGE]
"""


def run(tmp_path: Path, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-c", BEGIN + script, str(tmp_path / "file")]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def expect(done: subprocess.CompletedProcess[str], output: str) -> None:
    assert (done.returncode, done.stdout.strip()) == (0, output), done.stderr


CUT = """
mapping = map_file()
view = mapping.view()
os.truncate(path, 10 * PAGE)
print(int(view[:10 * PAGE].min()), int(view[10 * PAGE:].max()), mapping.lost_pages, _core.lost_pages())
"""


@pytest.mark.parametrize(
    ("options", "before", "after"),
    [([], "", ""), (["-X", "faulthandler"], "", ""), ([], "map_file(1); faulthandler.enable()", "")],
    ids=["alone", "faulthandler before", "faulthandler after"],
)
def test_what_was_cut_off_reads_as_zeros(tmp_path: Path, options: list[str], before: str, after: str) -> None:
    expect(run(tmp_path, before + CUT + after, *options), "7 0 54 54")


def test_any_thread_may_meet_it_with_the_interpreter_unlocked(tmp_path: Path) -> None:
    script = """
mappings = [map_file(2000)]
view = mappings[0].view()
os.truncate(path, 0)
found = []
def read():
    found.append(_core.nonzero_sector(view, 0, len(view)))
threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(set(found), _core.lost_pages() >= 2000, mappings[0].lost_pages == _core.lost_pages())
"""
    expect(run(tmp_path, script), "{-1} True True")


def test_a_forked_child_is_guarded_too(tmp_path: Path) -> None:
    script = """
mapping = map_file()
view = mapping.view()
os.truncate(path, PAGE)
child = os.fork()
if child == 0:
    other = map_file().view()
    os.truncate(path, 0)
    os._exit(0 if view[PAGE] == 0 and other[0] == 0 and _core.lost_pages() == 2 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), _core.lost_pages())
"""
    expect(run(tmp_path, script), "0 0")


def test_more_lost_pages_than_a_process_may_have_pieces_of_memory(tmp_path: Path) -> None:
    script = """
pages = 2 * int(open("/proc/sys/vm/max_map_count").read()) + 1000
fd = os.open(path, os.O_RDWR | os.O_CREAT)
os.truncate(path, pages * PAGE)
mapping = _core.Mapping(fd, pages * PAGE, True)
os.truncate(path, 0)
view = mapping.view()
print(int(view[:: 2 * PAGE].max()), int(view.max()), mapping.lost_pages >= pages)
"""
    if not Path("/proc/sys/vm/max_map_count").exists():
        pytest.skip("this system has no such limit")
    expect(run(tmp_path, script), "0 0 True")


@pytest.mark.parametrize(
    ("options", "script"),
    [
        ([], "map_file(); foreign_fault()"),
        (["-X", "faulthandler"], "map_file(); foreign_fault()"),
        ([], "map_file(); faulthandler.enable(); foreign_fault()"),
        ([], "faulthandler.enable(); map_file(); faulthandler.disable(); faulthandler.enable(); foreign_fault()"),
        ([], "mapping = map_file(); del mapping; foreign_fault()"),
        ([], "map_file(); os.kill(os.getpid(), signal.SIGBUS); threading.Event().wait(30)"),
        ([], "map_file(); signal.raise_signal(signal.SIGBUS); signal.raise_signal(signal.SIGBUS)"),
    ],
)
def test_other_bus_errors_end_the_process_as_ever(tmp_path: Path, options: list[str], script: str) -> None:
    done = run(tmp_path, script, *options)
    assert done.returncode == -signal.SIGBUS, done.stderr
    assert ("Fatal Python error: Bus error" in done.stderr) == ("faulthandler" in script or bool(options))


def test_a_handler_that_was_there_before_gets_what_is_not_of_a_mapping(tmp_path: Path) -> None:
    script = """
handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: (print("mine", number, flush=True), os._exit(3)))
ctypes.CDLL(None).signal(signal.SIGBUS, handler)
view = map_file().view()
os.truncate(path, 0)
print(view[0], flush=True)
foreign_fault()
"""
    done = run(tmp_path, script)
    assert (done.returncode, done.stdout.split()) == (3, ["0", "mine", str(int(signal.SIGBUS))]), done.stderr


def test_a_mapping_lives_as_long_as_a_view_of_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 64)
    with path.open("rb") as file:
        view = _core.Mapping(file.fileno(), 256 * 64, False).view()[100:]
    path.unlink()
    assert view[:156].tolist() == list(range(100, 256))
    assert view.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1


def test_an_empty_file_and_a_wrong_descriptor(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open("rb") as file:
        assert _core.Mapping(file.fileno(), 0, True).view().tolist() == []
        descriptor = file.fileno()
    with pytest.raises(OSError, match="cannot map") as raised:
        _core.Mapping(descriptor, PAGE, True)
    assert raised.value.errno == 9

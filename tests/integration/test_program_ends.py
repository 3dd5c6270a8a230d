"""A program that ends without closing its store: its own exit code, nothing on stderr, everything stored."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from engram.store import MemoryStore
from tests.integration.child_program import run_program

OPEN = """
from engram import MemoryStore
store = MemoryStore(None if sys.argv[1] == "memory" else sys.argv[1])
space = store.space("notes", dim=16)
"""
LEFT_OPEN = "what was acknowledged is in its log, but without a checkpoint the next opening may take longer"


def stored(path: Path) -> int:
    with MemoryStore(path) as store:
        space = store.space("notes", create=False)
        assert space.get("id-0") is not None
        return space.stats().live_count


# ---- whatever was done ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "work",
    [
        "",
        "space.observe(ids(0, 1), rows(1))",
        "space.observe(ids(0, 5000), rows(5000))",
        "for n in range(50): space.observe(ids(10 * n, 10), rows(10))",
        "space.observe(ids(0, 100), rows(100)); kept = space.recall(rows(1)[0]), space.snapshot()",
        "space.observe(ids(0, 100), rows(100)); kept = space.recall_stream(rows(1)[0], batch_size=1); next(kept)",
        "space.observe(ids(0, 3000), rows(3000)); space.delete(ids(1, 500)); store.checkpoint()",
        "for n in range(5): store.space(f'space-{n}', dim=16).observe(ids(0, 100), rows(100))",
    ],
)
def test_whatever_was_done(tmp_path: Path, work: str) -> None:
    for where in ("memory", str(tmp_path / "data")):
        ended = run_program(OPEN + work, where)
        assert (ended.code, ended.err) == (0, "")


# A checkpoint of few observations does not pay: the next opening links them again.
@pytest.mark.parametrize(("count", "checkpointed"), [(1, 0), (100, 0), (300, 300), (8000, 8000)])
def test_everything_is_stored_and_checkpointed(tmp_path: Path, count: int, checkpointed: int) -> None:
    ended = run_program(OPEN + f"space.observe(ids(0, {count}), rows({count}))", str(tmp_path))
    assert (ended.code, ended.err) == (0, "")
    assert stored(tmp_path) == count
    with MemoryStore(tmp_path) as store:
        assert store.space("notes").stats().checkpoint_generation == checkpointed


# ---- however it ends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "code", "last_line"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit('bye')", 1, "bye"),
        ("raise ValueError('mine')", 1, "ValueError: mine"),
        ("raise KeyboardInterrupt", -signal.SIGINT, "KeyboardInterrupt"),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", -signal.SIGINT, "KeyboardInterrupt"),
        ("os._exit(5)", 5, ""),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -signal.SIGTERM, ""),
        ("atexit.register(os._exit, 6)", 6, ""),
        ("threading.Thread(target=lambda: (time.sleep(0.2), os._exit(7))).start()", 7, ""),
    ],
)
def test_however_it_ends(tmp_path: Path, end: str, code: int, last_line: str) -> None:
    ended = run_program(OPEN + f"space.observe(ids(0, 2000), rows(2000))\n{end}", str(tmp_path))
    assert ended.code == code, ended.err
    assert ended.lines[-1:] == ([last_line] if last_line else []), ended.err
    assert "engram" not in ended.err
    assert stored(tmp_path) == 2000


@pytest.mark.parametrize(
    "command", [(sys.executable, "-c"), (sys.executable, "-X", "dev", "-W", "ignore::ResourceWarning", "-c")]
)
def test_an_exit_handler_of_the_program_may_still_observe(tmp_path: Path, command: tuple[str, ...]) -> None:
    program = OPEN + "atexit.register(lambda: space.observe(ids(0, 1000), rows(1000)))"
    ended = run_program(program, str(tmp_path), command=command)
    assert (ended.code, ended.err) == (0, "")
    assert stored(tmp_path) == 1000


# ---- whoever holds it -------------------------------------------------------------------------------------------

OBSERVE = "space.observe(ids(0, 3000), rows(3000))\n"


@pytest.mark.parametrize(
    "hold",
    [
        "cycle = []; cycle += [cycle, store]\ndel store, space, cycle",
        "import types\nmodule = sys.modules['kept'] = types.ModuleType('kept'); module.store = store\ndel store",
        "def closure(): return store\nsys.kept = closure",
        "del store",
        "space.neighbour = space; space.store = store\ndel store, space",
        "threading.Thread(target=lambda kept: time.sleep(60), args=(store,), daemon=True).start()\ndel store, space",
        "import itertools\nkept = itertools.cycle([store, space]); next(kept)\ndel store, space",
    ],
)
def test_whoever_holds_it(tmp_path: Path, hold: str) -> None:
    ended = run_program(OPEN + OBSERVE + hold, str(tmp_path), report_leaks="daemon" not in hold)
    assert (ended.code, ended.err) == (0, "")
    assert stored(tmp_path) == 3000


GONE = """
import contextlib, weakref
from engram.errors import StoreLocked
gone = weakref.ref(store)
{let_go}
while gone() is not None or {alive}:
    gc.collect()
    time.sleep(0.01)
again = None
while again is None:
    # The directory is free a moment after the last thread has ended.
    with contextlib.suppress(StoreLocked):
        again = MemoryStore(sys.argv[1])
with again:
    print(again.space("notes").stats().checkpoint_generation)
"""
THREADS = "any(t.name.startswith('engram-') and t.name != 'engram-ending' for t in threading.enumerate())"


@pytest.mark.parametrize(
    "let_go",
    [
        "del store, space",
        "snapshot = space.snapshot()\ndel store, space, snapshot",
        "stream = space.recall_stream(rows(1)[0], follow=True, k=1)\ndel store, space, stream",
        "try:\n    raise ValueError\nexcept ValueError as error:\n    del store, space",
    ],
)
def test_a_store_that_nobody_holds_is_closed(tmp_path: Path, let_go: str) -> None:
    """Its threads end, its directory is free again, and it can be collected."""
    let_go = let_go.replace("follow=True", "follow=False")
    ended = run_program(OPEN + OBSERVE + GONE.format(let_go=let_go, alive=THREADS), str(tmp_path))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.split() == ["3000"]


@pytest.mark.parametrize("keep", ["space", "store.checkpoint", "lambda: store.spaces()"])
def test_whoever_holds_a_part_holds_the_store(tmp_path: Path, keep: str) -> None:
    program = f"""
kept = {keep}
del store
gc.collect()
space.observe(ids(0, 500), rows(500))
print(len(space.recall(rows(1)[0])))
"""
    ended = run_program(OPEN + program, str(tmp_path))
    assert (ended.code, ended.err, ended.out.strip()) == (0, "", "10")
    assert stored(tmp_path) == 500


# ---- with other threads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threads", "work"),
    [
        (1, "observe"),
        (4, "observe"),
        (4, "observe_and_recall"),
    ],
)
def test_threads_that_outlive_the_main_one_go_on(tmp_path: Path, threads: int, work: str) -> None:
    """Only when they have ended is the store closed."""
    program = f"""
def observe(number):
    for turn in range(50):
        space.observe(ids(100 * number * 50 + 100 * turn, 100), rows(100))

def observe_and_recall(number):
    observe(number)
    for _ in range(50):
        space.recall(rows(1)[0])

for number in range({threads}):
    threading.Thread(target={work}, args=(number,)).start()
"""
    ended = run_program(OPEN + program, str(tmp_path))
    assert (ended.code, ended.err) == (0, "")
    assert stored(tmp_path) == threads * 5000


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize(
    "work",
    [
        "space.recall(rows(1)[0])",
        "list(space.recall_stream(rows(1)[0], 1000, 100))",
        "space.observe(ids(0, 10, threading.current_thread().name), rows(10))",
    ],
)
def test_daemon_threads_are_stopped_without_a_crash(tmp_path: Path, work: str, pinned: bool) -> None:
    """They are in the middle of native work when the interpreter ends, or are told that the store is closed."""
    # Four threads that search on one core may hold up the close for longer than it waits; this is not asked here.
    program = f"""
from engram.errors import EngramError
from engram.lifecycle import interpreter_exit
interpreter_exit.ENDING_S = 45.0
space.observe(ids(0, 3000), rows(3000))
begun = threading.Semaphore(0)

def go_on():
    while True:
        try:
            {work}
        except EngramError:
            time.sleep(60)
        begun.release()

for _ in range(4):
    threading.Thread(target=go_on, daemon=True).start()
for _ in range(8):
    begun.acquire()
sys.exit(3)
"""
    # The report of leaks is off, for what such threads hold is left by the end of the interpreter.
    ended = run_program(OPEN + program, str(tmp_path), pinned=pinned, report_leaks=False)
    assert (ended.code, ended.err) == (3, "")
    with MemoryStore(tmp_path) as store:
        assert store.space("notes").get("id-2999") is not None


# ---- when closing fails -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["disk_full", "log_failed", "OSError"])
def test_a_disk_that_fails_at_the_end_is_one_line(tmp_path: Path, reason: str) -> None:
    error = "OSError(5, 'broken')" if reason == "OSError" else f"Unavailable('the disk is broken', code='{reason}')"
    program = f"""
from engram.errors import Unavailable
from engram.store.indexing.checkpoints import Checkpoints
def write(*_):
    raise {error}
Checkpoints.write = write
other = store.space("other", dim=16)
for each in (space, other):
    each.observe(ids(0, 300), rows(300))
sys.exit(3)
"""
    ended = run_program(OPEN + program, str(tmp_path))
    assert ended.code == 3
    (line,) = ended.lines
    assert line.startswith("engram: ")
    assert "notes" in line
    assert "broken" in line
    assert stored(tmp_path) == 300


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        ("commit.committer", "Committer"),
        ("indexing.workers", "Workers"),
        ("indexing.maintenance_thread", "MaintenanceThread"),
    ],
)
def test_closing_that_hangs_is_given_up(tmp_path: Path, module: str, kind: str) -> None:
    program = f"""
from engram.lifecycle import interpreter_exit
from engram.store.{module} import {kind}
interpreter_exit.ENDING_S, interpreter_exit._TELLING_S = 1.0, 0.2
{kind}.stop = lambda *_: time.sleep(1000)
space.observe(ids(0, 100), rows(100))
sys.exit(3)
"""
    ended = run_program(OPEN + program, str(tmp_path), report_leaks=False)
    assert ended.code == 3
    assert ended.lines == [f"engram: the store in {tmp_path} could not be closed within 1 s; {LEFT_OPEN}"]
    assert stored(tmp_path) == 100


@pytest.mark.parametrize("seconds", [0, 0.1, 0.3])
def test_an_interrupted_close_is_finished_at_the_end(tmp_path: Path, seconds: float) -> None:
    program = f"""
from engram.store.indexing.workers import Workers
stop, interrupted = Workers.stop, []
def interrupt(self, *arguments):
    if not interrupted:
        interrupted.append(True)
        time.sleep({seconds})
        raise KeyboardInterrupt
    stop(self, *arguments)
Workers.stop = interrupt
space.observe(ids(0, 300), rows(300))
try:
    store.close()
except KeyboardInterrupt:
    sys.exit(3)
"""
    ended = run_program(OPEN + program, str(tmp_path))
    assert (ended.code, ended.err) == (3, "")
    with MemoryStore(tmp_path) as store:
        assert store.space("notes").stats().checkpoint_generation == 300


def test_a_second_interruption_says_what_is_skipped(tmp_path: Path) -> None:
    """The first ends the program, and the second ends the closing of what it left open."""
    program = """
from engram.store.indexing.maintenance_thread import MaintenanceThread
def stop(self):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
MaintenanceThread.stop = stop
space.observe(ids(0, 100), rows(100))
os.kill(os.getpid(), signal.SIGINT)
time.sleep(60)
"""
    ended = run_program(OPEN + program, str(tmp_path), report_leaks=False)
    assert ended.code == -signal.SIGINT
    assert ended.lines[-1] == (
        f"engram: the store in {tmp_path} could not be closed before the program was interrupted; {LEFT_OPEN}"
    )
    assert stored(tmp_path) == 100


# ---- other ways to run ------------------------------------------------------------------------------------------

MAIN = """
import asyncio, concurrent.futures, multiprocessing, sys
import numpy as np
from engram import MemoryStore

def work(path):
    global store
    store = MemoryStore(path)
    store.space("notes", dim=16).observe([f"id-{n}" for n in range(2000)], np.ones((2000, 16)))

def in_child(method):
    child = multiprocessing.get_context(method).Process(target=work, args=sys.argv[1:])
    child.start()
    child.join()
    assert child.exitcode == 0

if __name__ == "__main__":
    MAIN
    sys.exit(3)
"""


@pytest.mark.parametrize(
    "main",
    [
        "work(sys.argv[1])",
        "in_child('spawn')",
        "in_child('fork')",
        "concurrent.futures.ThreadPoolExecutor(1).submit(work, sys.argv[1])",
        "asyncio.run(asyncio.to_thread(work, sys.argv[1]))",
    ],
    ids=["script", "spawn", "fork", "executor", "asyncio"],
)
def test_other_ways_to_run(tmp_path: Path, main: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(MAIN.replace("MAIN", main))
    ended = run_program("", str(tmp_path / "data"), command=("sh", "-c", f'"{sys.executable}" "{script}" "$1"'))
    assert (ended.code, ended.err) == (3, "")
    with MemoryStore(tmp_path / "data") as store:
        assert store.space("notes").stats().checkpoint_generation == 2000


@pytest.mark.parametrize("scope", ["function", "module", "none"])
def test_under_pytest(tmp_path: Path, scope: str) -> None:
    fixture = f"@pytest.fixture(scope='{scope}')" if scope != "none" else "@pytest.fixture\ndef unused(): pass\n"
    (tmp_path / "test_it.py").write_text(
        f"import numpy as np, pytest\nfrom engram import MemoryStore\n{fixture}\ndef store():\n"
        "    return MemoryStore(None)\n"
        f"def test_one({'store' if scope != 'none' else ''}):\n"
        f"    {'' if scope != 'none' else 'global kept; kept = '}store{'' if scope != 'none' else '()'}"
        ".space('notes', dim=16).observe(['a'], np.ones((1, 16)))\n"
    )
    command = ("sh", "-c", f'cd "{tmp_path}" && exec "{sys.executable}" -m pytest -q -p no:asyncio test_it.py')
    ended = run_program("", command=command)
    assert (ended.code, ended.err) == (0, ""), ended.out
    assert "1 passed" in ended.out

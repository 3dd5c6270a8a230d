"""What a forked child may use of its parent, which is nothing, and that it is told so at once instead of hanging."""

from __future__ import annotations

from pathlib import Path

import pytest

from engram.store import MemoryStore
from tests.integration.child_program import run_program
from tests.integration.server_process import ServerProcess

# In the child every attempt is made and its outcome printed; a hang ends it by an alarm. Leaks are not reported, as
# a child has what the threads of its parent held, and no threads to let go of it.
FORK = """
from engram import AsyncClient, Client, MemoryStore
from engram.errors import EngramError

def attempt(name, what):
    try:
        print(name, type(what()).__name__, flush=True)
    except EngramError as error:
        print(name, error.code, flush=True)

def in_child(work, end=lambda: sys.exit(5)):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        work()
        end()
    _, status = os.waitpid(child, 0)
    print("child", os.waitstatus_to_exitcode(status), flush=True)
"""

STORE = (
    FORK
    + """
store = MemoryStore(sys.argv[1])
space = store.space("notes", dim=16)
space.observe(ids(0, 3000), rows(3000))
snapshot, stream, held = space.snapshot(), space.recall_stream(rows(1)[0]), space.recall_stream(rows(1)[0])
next(held)
held_scan = space.scan(page_size=1)
next(held_scan)
"""
)
ATTEMPTS_ON_STORE = """
attempt("space", lambda: store.space("notes"))
attempt("new space", lambda: store.space("other", dim=16))
attempt("spaces", store.spaces)
attempt("checkpoint", store.checkpoint)
attempt("observe", lambda: space.observe(["x"], rows(1)))
attempt("delete", lambda: space.delete(["id-1"]))
attempt("recall", lambda: space.recall(rows(1)[0]))
attempt("recall_many", lambda: space.recall_many(rows(2)))
attempt("get", lambda: space.get("id-1"))
attempt("snapshot", space.snapshot)
attempt("recall_stream", lambda: space.recall_stream(rows(1)[0]))
attempt("snapshot.recall", lambda: snapshot.recall(rows(1)[0]))
attempt("snapshot's length", lambda: len(snapshot))
attempt("snapshot.count", snapshot.count)
attempt("snapshot.scan", lambda: next(snapshot.scan()))
attempt("snapshot.facets", snapshot.facets)
attempt("length", lambda: len(space))
attempt("scan", lambda: next(space.scan()))
attempt("held scan", lambda: next(held_scan))
attempt("facets", space.facets)
attempt("clear", space.clear)
attempt("stream", lambda: next(stream))
attempt("held", lambda: next(held))
attempt("close stream", held.close)
attempt("close", store.close)
"""
REFUSED = [
    *("space", "new space", "spaces", "checkpoint", "observe", "delete", "recall", "recall_many", "get", "snapshot"),
    *("recall_stream", "snapshot.recall", "snapshot's length", "snapshot.count", "snapshot.scan", "snapshot.facets"),
    *("length", "scan", "held scan", "facets", "clear", "stream", "held"),
]


def check(out: str, refused: list[str], allowed: list[str], code: int = 5) -> None:
    """Check what the child printed: what it was refused, what it was not, and how it ended."""
    lines = [line.rpartition(" ") for line in out.splitlines()]
    assert [name for name, _, outcome in lines if outcome == "forked"] == refused
    assert [name for name, _, outcome in lines if outcome != "forked"] == [*allowed, "child"]
    assert lines[-1][2] == str(code)


def stored(path: Path) -> int:
    with MemoryStore(path) as store:
        return store.space("notes").stats().live_count


@pytest.mark.parametrize(
    "before",
    [
        "",
        # Threads of the parent are in the middle of everything, with whatever locks that takes.
        "busy = lambda n: [space.observe(ids(0, 50, f'busy-{n}'), rows(50)) for _ in range(200)]\n"
        "for n in range(3): threading.Thread(target=busy, args=(n,)).start()",
        "threading.Thread(target=lambda: [store.checkpoint() for _ in range(50)]).start()",
    ],
    ids=["idle", "observing", "checkpointing"],
)
def test_a_store_is_refused_to_a_child(tmp_path: Path, before: str) -> None:
    program = f"""
{before}
def work():
    {"; ".join(ATTEMPTS_ON_STORE.strip().splitlines())}
for _ in range(5):
    in_child(work)
space.observe(["last"], rows(1))
"""
    ended = run_program(STORE + program, str(tmp_path), report_leaks=False)
    assert (ended.code, ended.err) == (0, "")
    rounds = ended.out.split("child 5\n")
    assert len(rounds) == 6
    for out in rounds[:-1]:
        check(out + "child 5\n", REFUSED, ["close stream", "close"])
    with MemoryStore(tmp_path) as store:
        assert store.space("notes").get("last") is not None


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("lambda: sys.exit(5)", 5),
        ("lambda: os._exit(5)", 5),
        ("lambda: None if gc.collect() < 0 else sys.exit(5)", 5),
        ("lambda: (_ for _ in ()).throw(SystemExit(5))", 5),
    ],
)
def test_a_child_that_just_exits_closes_nothing_of_its_parent(tmp_path: Path, end: str, code: int) -> None:
    program = f"""
import pathlib, subprocess
def files():
    # The description of a space is written again whenever a mark is left, about every second.
    found = [path for kind in ("*.checkpoint", "*.log") for path in pathlib.Path(sys.argv[1]).rglob(kind)]
    return sorted((str(path), path.stat().st_mtime_ns) for path in found)
space.wait_indexed(3000)
store.checkpoint()
before = files()
in_child(lambda: None, {end})
print(files() == before)
other = "import sys, engram; engram.MemoryStore(sys.argv[1])"
tried = subprocess.run([sys.executable, "-c", other, sys.argv[1]], capture_output=True, text=True, timeout=60)
print("store_locked" if "StoreLocked" in tried.stderr else tried)
space.observe(["last"], rows(1))
"""
    ended = run_program(STORE + program, str(tmp_path), report_leaks=False)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.split() == ["child", str(code), "True", "store_locked"]
    assert stored(tmp_path) == 3001


@pytest.mark.parametrize("how", ["os.fork", "multiprocessing", "multiprocessing with its own store"])
def test_a_child_may_open_what_is_its_own(tmp_path: Path, how: str) -> None:
    keep = "global kept; kept = own" if "own" in how else "own.close()"
    program = f"""
import multiprocessing
def work():
    global kept
    own = MemoryStore(sys.argv[1] + "-child")
    own.space("notes", dim=16).observe(ids(0, 500), rows(500))
    {keep.replace("global kept; ", "")}
if "{how}" == "os.fork":
    in_child(work)
else:
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    print("child", child.exitcode)
"""
    path = tmp_path / "data"
    ended = run_program(STORE + program, str(path), report_leaks=False)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.split() == ["child", "5" if how == "os.fork" else "0"]
    assert stored(path) == 3000
    with MemoryStore(tmp_path / "data-child") as store:
        assert store.space("notes").stats().checkpoint_generation == 500


CLIENT = (
    FORK
    + """
address = sys.argv[1]
with Client(address) as client:
    client.create_space("forks", dim=16)
client = Client(address, space="forks")
client.submit("a", rows(1)[0]).result(30)
stream = client.recall_stream(rows(1)[0], 10, 1)
next(stream)
"""
)
ATTEMPTS_ON_CLIENT = [
    *("observe", "observe_batch", "flush", "recall", "recall_many", "recall_stream", "stream", "forget"),
    *("create_space", "spaces"),
    *("status", "open", "new client", "new async client", "old async client"),
]


@pytest.mark.parametrize(
    "before",
    [
        "",
        "for id in ids(0, 2000): client.submit(id, rows(1)[0])",
        "def busy():\n    for id in ids(0, 200): client.submit(id, rows(1)[0]); client.recall(rows(1)[0])\n"
        "threading.Thread(target=busy).start()",
    ],
    ids=["idle", "sending", "busy"],
)
def test_a_client_is_refused_to_a_child(server: ServerProcess, before: str) -> None:
    program = f"""
{before}
def work():
    attempt("observe", lambda: client.submit("b", rows(1)[0]))
    attempt("observe_batch", lambda: client.submit(["b"], rows(1)))
    attempt("flush", client.flush)
    attempt("recall", lambda: client.recall(rows(1)[0]))
    attempt("recall_many", lambda: client.recall_many(rows(2)))
    attempt("recall_stream", lambda: list(client.recall_stream(rows(1)[0])))
    attempt("stream", lambda: next(stream))
    attempt("forget", lambda: client.delete(["a"]))
    attempt("create_space", lambda: client.create_space("more"))
    attempt("spaces", client.spaces)
    attempt("status", client.status)
    attempt("open", client.connect)
    attempt("new client", lambda: Client(address, space="forks").observe("c", rows(1)[0]))
    attempt("new async client", lambda: asyncio.run(AsyncClient(address, space="forks").recall(rows(1)[0])))
    attempt("old async client", lambda: asyncio.run(client._client.recall(rows(1)[0])))
    attempt("close", client.close)
in_child(work)
client.flush()
"""
    ended = run_program(CLIENT + program, server.address, report_leaks=False)
    assert (ended.code, ended.err) == (0, "")
    check(ended.out, ATTEMPTS_ON_CLIENT, ["close"])


@pytest.mark.parametrize(
    "kind",
    [
        "client = Client(address); client.recall(rows(1)[0])",
        "client = Client(address); [client.submit(id, rows(1)[0]) for id in ids(0, 2000, 'left')]",
        "client = AsyncClient(address); asyncio.run(client.recall(rows(1)[0]))",
    ],
)
@pytest.mark.parametrize("end", ["sys.exit(5)", "os._exit(5)"])
def test_a_child_of_a_client_just_exits(server: ServerProcess, kind: str, end: str) -> None:
    program = f"""
with Client(sys.argv[1]) as first:
    first.create_space("plain", dim=16)
address = sys.argv[1]
Client = __import__("functools").partial(Client, space="plain")
AsyncClient = __import__("functools").partial(AsyncClient, space="plain")
{kind}
for _ in range(5):
    in_child(lambda: None, lambda: {end})
"""
    ended = run_program(FORK + program, server.address, report_leaks=False)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == ["child 5"] * 5


@pytest.mark.parametrize("how", ["fork", "spawn", "fork before use"])
def test_a_child_that_may_use_a_client(server: ServerProcess, how: str) -> None:
    """A parent that has not used one can fork children that do; one that has can spawn them."""
    script = f"""
import multiprocessing, sys
from engram import Client
def work(address):
    with Client(address) as client:
        print("live", client.status().version != "", flush=True)
if __name__ == "__main__":
    if "{how}" == "spawn":
        Client(sys.argv[1]).status()
    for _ in range(3):
        child = multiprocessing.get_context("{how.partition(" ")[0]}").Process(target=work, args=(sys.argv[1],))
        child.start()
        child.join()
        assert child.exitcode == 0
    Client(sys.argv[1]).status()
"""
    path = server.data.with_name(f"{how.replace(' ', '-')}.py")
    path.write_text(script)
    program = (
        f"import runpy; sys.argv = [sys.argv[0], *sys.argv[1:]]; runpy.run_path({str(path)!r}, run_name='__main__')"
    )
    ended = run_program(program, server.address)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == ["live True"] * 3

"""A program that ends without closing its client: what it observed is sent, or named in one line."""

from __future__ import annotations

import itertools
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engram.client import Client
from tests.integration.child_program import Ended, run_program
from tests.integration.server_process import DIM, ServerProcess

COUNT = 2000
_numbers = itertools.count(1)

OPEN = f"""
from engram import AsyncClient, Client, Cue
from engram.lifecycle import interpreter_exit
address, space = sys.argv[1:3]
one = rows(1)[0]

async def observe(client, count={COUNT}):
    for id in ids(0, count):
        await client.submit(id, one)
"""


@pytest.fixture
def fresh(server: ServerProcess) -> str:
    """A space of the server."""
    name = f"ends-{next(_numbers)}"
    with Client(server.address) as client:
        client.create_space(name, dim=DIM)
    return name


def stored(server: ServerProcess, space: str) -> int:
    with Client(server.address, space=space) as client:
        return client.space_status().live_count


SENT = {
    "module": "client = Client(address, space=space)\nfor id in ids(0, 2000): client.submit(id, one)",
    "gone": "client = Client(address, space=space)\nfor id in ids(0, 2000): client.submit(id, one)\ndel client",
    "batches": "client = Client(address, space=space)\nfor n in range(20): client.submit(ids(100 * n, 100), rows(100))",
    "cycle": "client = Client(address, space=space); client.me = client\n"
    "for id in ids(0, 2000): client.submit(id, one)\ndel client",
    "threads": "client = Client(address, space=space)\n"
    "def go(n): [client.submit(id, one) for id in ids(500 * n, 500)]\n"
    "for n in range(4): threading.Thread(target=go, args=(n,)).start()",
    "two clients": "clients = [Client(address, space=space) for _ in range(2)]\n"
    "for n, client in enumerate(clients):\n    for id in ids(1000 * n, 1000): client.submit(id, one)",
    "stream": "client = Client(address, space=space)\nfor id in ids(0, 2000): client.submit(id, one)\n"
    "stream = client.recall_stream(Cue(vector=one, score_min=-1.0), follow=True, k=1)",
    "async": "client = AsyncClient(address, space=space)\nasyncio.run(observe(client))",
    "async local": "async def main(): await observe(AsyncClient(address, space=space))\nasyncio.run(main())",
    "loop left open": "loop = asyncio.new_event_loop(); client = AsyncClient(address, space=space)\n"
    "loop.run_until_complete(observe(client))",
    "loop closed": "loop = asyncio.new_event_loop(); client = AsyncClient(address, space=space)\n"
    "loop.run_until_complete(observe(client)); loop.close()",
    "loop of a daemon thread": "loop = asyncio.new_event_loop(); client = AsyncClient(address, space=space)\n"
    "threading.Thread(target=loop.run_forever, daemon=True).start()\n"
    "asyncio.run_coroutine_threadsafe(observe(client), loop).result()",
}


@pytest.mark.parametrize("work", SENT.values(), ids=SENT.keys())
def test_everything_is_sent(server: ServerProcess, fresh: str, work: str) -> None:
    ended = run_program(OPEN + work, server.address, fresh)
    assert (ended.code, ended.err) == (0, "")
    assert stored(server, fresh) == COUNT


@pytest.mark.parametrize(
    ("end", "code", "last_line"),
    [
        ("sys.exit(3)", 3, ""),
        ("raise ValueError('mine')", 1, "ValueError: mine"),
        ("raise KeyboardInterrupt", -signal.SIGINT, "KeyboardInterrupt"),
    ],
)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_however_it_ends(server: ServerProcess, fresh: str, kind: str, end: str, code: int, last_line: str) -> None:
    work = {
        "sync": f"client = Client(address, space=space)\nfor id in ids(0, 2000): client.submit(id, one)\n{end}",
        "async": f"async def main():\n    await observe(AsyncClient(address, space=space))\n    {end}\n"
        "asyncio.run(main())",
    }[kind]
    ended = run_program(OPEN + work, server.address, fresh)
    assert ended.code == code, ended.err
    assert ended.lines[-1:] == ([last_line] if last_line else []), ended.err
    assert "engram:" not in ended.err
    assert stored(server, fresh) == COUNT


# ---- when the server is away --------------------------------------------------------------------------------------


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of one test, to be stopped."""
    running = ServerProcess(tmp_path / "data")
    with Client(running.address) as client:
        client.create_space("notes", dim=DIM)
    yield running
    running.process.kill()
    running.wait()


def check_named(ended: Ended, count: int) -> None:
    """Check the one line: how many observations, and the first of their ids."""
    # gRPC has something to say of an event loop that the program closes under its calls.
    (line,) = [line for line in ended.lines if "task:" not in line and "Task was destroyed" not in line]
    named = re.match(r"engram: (\d+) observations to space notes \('id-(\d+)', 'id-(\d+)', 'id-(\d+)', \.\.\.\)", line)
    assert named, line
    lost, first, second, third = map(int, named.groups())
    # Those before the first that is named were acknowledged.
    assert lost == count - first
    assert (second, third) == (first + 1, first + 2)
    assert "Traceback" not in line


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["sync", "async", "loop closed"])
def test_what_could_not_be_sent_is_named(mortal: ServerProcess, kind: str, number: signal.Signals) -> None:
    """However the server went away, the program ends in bounded time with its own exit code and one line."""
    lose = f"os.kill({mortal.process.pid}, {int(number)})"
    work = {
        "sync": f"client = Client(address, space=space)\nclient.connect()\n{lose}\n"
        "for id in ids(0, 2000): client.submit(id, one)",
        "async": f"async def main():\n    client = AsyncClient(address, space=space)\n    await client.connect()\n"
        f"    {lose}\n    await observe(client)\nasyncio.run(main())",
        "loop closed": f"async def main():\n    await client.connect()\n    {lose}\n    await observe(client)\n"
        "client = AsyncClient(address, space=space); loop = asyncio.new_event_loop()\n"
        "loop.run_until_complete(main()); loop.close()",
    }[kind]
    hurry = "interpreter_exit.ENDING_S, interpreter_exit._TELLING_S = 3.0, 1.0\n"
    ended = run_program(f"{OPEN}{hurry}{work}\nsys.exit(3)", mortal.address, "notes", report_leaks=False)
    assert ended.code == 3, ended.err
    check_named(ended, COUNT)


@pytest.mark.parametrize("count", [1, 3, 70_000])
def test_the_line_is_short_whatever_was_lost(mortal: ServerProcess, count: int) -> None:
    work = f"""
from engram.client import OutboxLimits
interpreter_exit.ENDING_S, interpreter_exit._TELLING_S = 3.0, 1.0
client = Client(address, space=space, limits=OutboxLimits(count_max=100_000))
client.connect()
os.kill({mortal.process.pid}, signal.SIGSTOP)
for first in range(0, {count}, 10_000):
    size = min(10_000, {count} - first)
    client.submit(ids(first, size, "new\\nline" * 20), rows(size))
"""
    ended = run_program(OPEN + work, mortal.address, "notes", report_leaks=False)
    assert len(ended.lines) == 1, ended.err
    (line,) = ended.lines
    assert line.startswith(f"engram: {count} observation{'s' if count > 1 else ''} to space notes ")
    assert len(line) < 2100


# ---- the campaign -------------------------------------------------------------------------------------------------

PLAIN = {
    "store": "from engram import MemoryStore\nkept = MemoryStore(space)\n"
    "kept.space('notes', dim=16).observe(ids(0, 2000), rows(2000)); print(2000)",
    "client": SENT["module"],
    "async client": SENT["async"],
}


@pytest.mark.parametrize("runs", [5, pytest.param(100, marks=pytest.mark.campaign)])
@pytest.mark.parametrize("pinned", [True, False], ids=["pinned", "free"])
@pytest.mark.parametrize("kind", PLAIN)
def test_the_plain_script_again_and_again(
    server: ServerProcess, tmp_path: Path, kind: str, pinned: bool, runs: int
) -> None:
    with Client(server.address) as client:
        spaces = [f"plain-{next(_numbers)}" for _ in range(runs)]
        for name in spaces:
            client.create_space(name, dim=DIM)
    rows = 0
    for name in spaces:
        where = str(tmp_path / name) if kind == "store" else name
        ended = run_program(f"{OPEN}{PLAIN[kind]}\nsys.exit(3)", server.address, where, pinned=pinned)
        assert (ended.code, ended.err) == (3, "")
        if kind == "store":
            again = "from engram import MemoryStore\nprint(MemoryStore(space).space('notes').stats().live_count)"
            rows += int(run_program(OPEN + again, server.address, where).out)
        else:
            rows += stored(server, name)
    assert rows == runs * COUNT
    cores = "pinned to one core" if pinned else "free"
    print(f"{runs} ends of a plain script with a {kind}, {cores}: own exit code, silent, {rows} of {runs * COUNT} rows")

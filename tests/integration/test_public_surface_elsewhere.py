"""What careless callers pass to clients, snapshots, stores and constructors; and calls after a close, a fork, and on
another event loop. The tables of arguments are those of `test_public_surface`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

import engram
from engram import Cue, MemoryStore
from engram.connection.async_memory_store import AsyncMemoryStore
from engram.connection.async_remote_store import AsyncRemoteStore
from engram.connection.remote_store import RemoteStore
from engram.errors import EngramError
from tests.doubles.bad_values import BAD, arguments_of, problems_of
from tests.doubles.places import ROOT
from tests.integration.child_program import run_program
from tests.integration.homes import HOMES, Blocking
from tests.integration.server_process import DIM
from tests.integration.socket_client import SocketServer
from tests.integration.test_public_surface import CLIENT, EVERYWHERE, LOCAL_STORE, ONE, SPACE, STORE, problems

Cases = dict[str, dict[str, Any]]
SNAPSHOT: Final[Cases] = {
    "count": {},
    "facets": {"keys": "room"},
    "get": {"id": "unknown"},
    "recall": {"cue": ONE},
    "recall_many": {"cues": [ONE]},
    "recall_stream": {"cue": ONE},
    "scan": {},
}
# What is made or opened by its name in `engram`, with valid arguments.
MADE: Final[Cases] = {
    "AsyncClient": {"address": "ws://127.0.0.1:1"},
    "Between": {"low": 1},
    "Client": {"address": "ws://127.0.0.1:1"},
    "Cue": {"vector": ONE},
    "Filter": {},
    "HnswIndex": {"dim": DIM},
    "MemoryStore": {"path": None},
    "RecallQuery": {"cue": Cue(ONE)},
    "RetentionPolicy": {},
    "StoreOptions": {},
    "Strength": {},
    "connect": {},
    "connect_async": {},
    "parse_filter": {"text": "deck = 2"},
}
# What calls return, or raise, and what is no call.
RETURNED: Final = {
    *("Ack", "AsyncFollowing", "AsyncScan", "Change", "Condition", "Counted", "Deletion", "EngramError"),
    *("ErasureReceipt", "F", "Facet", "FacetValue", "Facets", "Following", "FoundHits", "Hit", "Hits", "Own"),
    *("RecallStream", "Scan", "ScanPage", "Snapshot", "Space", "__version__"),
}
# In a forked child, these may tell what they know.
TELLING: Final = {"stats", "metrics", "damages", "problems", "worker_statistics", "close"}
# What needs the session of a client, which is on one event loop.
OF_SESSION: Final = {"observe", "submit", "observe_batch", "connect", "close"}
ASYNCHRONOUS: Final = [name for name in HOMES if "async client" in name]
ANSWERED: Final = "answered"


def cases_at(place: str) -> Cases:
    """The methods of a space at a place, with valid arguments."""
    if "client" in place:
        return CLIENT
    return SPACE if place == "embedded" else EVERYWHERE


def outcome(thing: Any, name: str, arguments: dict[str, Any]) -> str:
    """The code of the error that a method raises, also when what it returns is waited for; or that it has answered."""
    try:
        given = getattr(thing, name)(**arguments)
        if hasattr(given, "result"):
            given.result(30)
        if hasattr(given, "__next__"):
            next(given, None)
            getattr(given, "close", lambda: None)()
    except EngramError as error:
        return error.code
    return ANSWERED


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("place", [name for name in HOMES if name != "embedded"])
def test_spaces_and_clients(place: str, server: SocketServer) -> None:
    with HOMES[place].space(server) as space:
        space.observe(["kept", "changed"], [ONE, ONE])
        # What a deletion of the housekeeping does is no write of a caller.
        assert problems(space, cases_at(place), lambda: space.stats().observed) == []
        assert space.get("kept") is not None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("place", HOMES)
def test_snapshots(place: str, server: SocketServer) -> None:
    with HOMES[place].space(server) as space:
        space.observe("kept", ONE)
        assert problems(space.snapshot(), SNAPSHOT, lambda: space.stats().observed) == []


@contextmanager
def store_at(place: str, server: SocketServer) -> Iterator[Any]:
    """A store: in this process or on the server, for code that waits or for coroutines."""
    if place == "client":
        with RemoteStore(server.base_url) as store:
            yield store
        return
    with asyncio.Runner() as runner:

        async def opened() -> AsyncMemoryStore | AsyncRemoteStore:
            return AsyncRemoteStore(server.base_url) if "client" in place else AsyncMemoryStore(MemoryStore(None))

        inner = runner.run(opened())
        yield Blocking(runner.get_loop(), inner)
        runner.run(inner.close())


@pytest.mark.parametrize("place", ["async embedded", "client", "async client"])
def test_stores(place: str, server: SocketServer) -> None:
    with store_at(place, server) as store:
        assert problems(store, STORE, lambda: [space.name for space in store.spaces()]) == []


def test_everything_that_can_be_made_is_in_a_table() -> None:
    assert set(engram.__all__) == MADE.keys() | RETURNED


@pytest.mark.parametrize("name", MADE)
def test_what_is_made(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is passed, no error is raised but ours; which values are taken is told where each is tested."""
    monkeypatch.chdir(tmp_path)
    make = getattr(engram, name)

    def call(**arguments: Any) -> None:
        if name == "connect_async":
            asyncio.run(opened_and_closed(make, arguments))
            return
        made = make(**arguments)
        # A client that has sent nothing has nothing to close.
        if isinstance(made, MemoryStore | RemoteStore):
            made.close()

    taken = dict.fromkeys(arguments_of(make), BAD)
    assert problems_of(make, call, MADE[name], taken) == []


async def opened_and_closed(make: Callable[..., Any], arguments: dict[str, Any]) -> None:
    await (await make(**arguments)).close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("place", ["client", "async client", "client over WebSocket", "async client over WebSocket"])
def test_a_closed_client(place: str, server: SocketServer) -> None:
    with HOMES[place].space(server) as client:
        client.observe("kept", ONE)
        held = client.snapshot()
        client.close()
        told = {name: outcome(client, name, arguments) for name, arguments in CLIENT.items() if name != "close"}
        told |= {f"{name} of a snapshot": outcome(held, name, arguments) for name, arguments in SNAPSHOT.items()}
        assert {name: code for name, code in told.items() if code != "client_closed"} == {}
        client.close()


@pytest.mark.parametrize("name", sorted(STORE))
@pytest.mark.parametrize("place", ["async embedded", "client", "async client"])
def test_a_closed_store(place: str, name: str, server: SocketServer) -> None:
    with store_at(place, server) as store:
        store.close()
        told = outcome(store, name, STORE[name])
        # What is listed of a closed store in this process is what it had.
        assert told == "closed" or name == "close" or (place, name) == ("async embedded", "spaces"), told


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("place", ASYNCHRONOUS)
def test_another_event_loop(place: str, server: SocketServer) -> None:
    """Calls are made on whichever event loop runs; the session, once it is open, stays on its own, and says so."""
    with HOMES[place].space(server) as here, asyncio.Runner() as runner:
        here.observe("kept", ONE)
        elsewhere = Blocking(runner.get_loop(), here._inner)
        order = [*sorted(CLIENT.keys() - {"clear", "close"}), "clear"]
        told = {name: outcome(elsewhere, name, CLIENT[name]) for name in order}
        assert {name for name, code in told.items() if code == "other_event_loop"} == OF_SESSION - {"close"}
        assert (told["recall"], told["scan"], told["flush"], told["clear"]) == (ANSWERED,) * 4
        assert here.observe("after", ONE).generation > 1
        assert outcome(elsewhere, "close", {}) == "other_event_loop"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_embedded_space_for_coroutines_is_on_any_event_loop(server: SocketServer) -> None:
    with HOMES["async embedded"].space(server) as here, asyncio.Runner() as runner:
        here.observe(["kept", "changed"], [ONE, ONE])
        elsewhere = Blocking(runner.get_loop(), here._inner)
        told = {name: outcome(elsewhere, name, arguments) for name, arguments in EVERYWHERE.items() if name != "clear"}
        assert {name: code for name, code in told.items() if code not in (ANSWERED, "missing_ids")} == {}


FORKED: Final = """
from engram import Client, MemoryStore
from tests.integration.test_public_surface import CLIENT, LOCAL_STORE, SPACE
from tests.integration.test_public_surface_elsewhere import SNAPSHOT, outcome

def attempts(*things):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        for thing, cases in things:
            for name, arguments in cases.items():
                print(name, outcome(thing, name, arguments), flush=True)
        os._exit(5)
    _, status = os.waitpid(child, 0)
    print("child", os.waitstatus_to_exitcode(status), flush=True)
"""


def told_in_a_child(program: str, *arguments: str) -> list[tuple[str, str]]:
    """The methods that may not tell what they know, and what a child was told of each."""
    warnings = "import warnings; warnings.simplefilter('ignore')\n"
    code = warnings + FORKED + program
    # The modules of tests use gRPC before a client does, and its handlers of forks write what concerns nobody.
    ended = run_program(code, *arguments, report_leaks=False, PYTHONPATH=str(ROOT), GRPC_ENABLE_FORK_SUPPORT="0")
    assert (ended.code, ended.err) == (0, "")
    *told, child = [line.rpartition(" ") for line in ended.out.splitlines()]
    assert child == ("child", " ", "5")
    return [(name, code) for name, _, code in told if name not in TELLING]


def test_a_store_in_a_forked_child() -> None:
    told = told_in_a_child(
        """
store = MemoryStore(None)
space = store.space("notes", dim=16)
space.observe("kept", rows(1)[0])
attempts((space, SPACE), (space.snapshot(), SNAPSHOT), (store, LOCAL_STORE))
"""
    )
    wanted = [name for cases in (SPACE, SNAPSHOT, LOCAL_STORE) for name in cases if name not in TELLING]
    assert told == [(name, "forked") for name in wanted]


@pytest.mark.parametrize("transport", ["gRPC", "WebSocket"])
def test_a_client_in_a_forked_child(transport: str, server: SocketServer) -> None:
    told = told_in_a_child(
        """
with Client(sys.argv[1]) as first:
    first.create_space(sys.argv[2], dim=16)
client = Client(sys.argv[1], space=sys.argv[2])
client.observe("kept", rows(1)[0])
attempts((client, CLIENT))
client.close()
""",
        server.address if transport == "gRPC" else server.base_url,
        f"forked-{transport.lower()}",
    )
    assert told == [(name, "forked") for name in CLIENT if name not in TELLING]

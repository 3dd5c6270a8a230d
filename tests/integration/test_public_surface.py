"""Every argument of every method of an embedded space and of a store, with all that careless callers pass.

A new method without valid arguments here fails, and so does a new argument without its entry in `TAKEN`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from engram import Cue, MemoryStore, RecallQuery, RetentionPolicy
from engram.connection.async_memory_store import AsyncMemoryStore
from engram.errors import EngramError
from engram.store.expiry.removal import ExpiryRemoval
from tests.doubles.bad_values import BAD, problems_of, public_methods, worse_values
from tests.integration.homes import HOMES, Blocking
from tests.integration.server_process import DIM
from tests.integration.socket_client import SocketServer

NONE: Final = {"None"}
NUMBER: Final = {"one"}
OR_NONE: Final = {"one", "None"}
FLAG: Final = {"True"}
TEXT: Final = {"a text", "an empty text", "a huge text"}
# Numbers are seconds since 1970, and may be too early for what is retained.
TIME: Final = {"None", "one", "a negative number", "a fraction", "a whole float"}
SOME: Final = {"an empty list", "a list of texts"}
# After how long everything in a space expires.
TTL: Final = {"None", "one", "a fraction", "a whole float", "infinity"}
# By argument, what it takes, if not for all methods.
TAKEN: Final[dict[str, set[str]]] = {
    "ids": set(),
    "vectors": set(),
    # None in a list is no text.
    "contents": {"None", "a list of None"},
    "timestamps": NONE,
    "confidences": NONE,
    "importances": NONE,
    "metadata": {"None", "a list of None"},
    "tags": {"None", "a list of None", "a list of lists"},
    "expires_at": TIME | {"None", "a negative number", "a list of None"},
    "ttl": {"None", "one", "a fraction", "a whole float", "infinity", "a list of None"},
    "embed": FLAG | NONE,
    "id": TEXT,
    "max_generation": OR_NONE,
    "generation": OR_NONE,
    "include_vectors": FLAG,
    "cue": set(),
    "cues": {"an empty list"},
    "k": NUMBER,
    "batch_size": NUMBER,
    "snapshot_time": TIME,
    "ef": OR_NONE,
    "strength": NONE,
    "skip_damaged": FLAG,
    "include_recent": FLAG,
    "follow": set(),
    "after_generation": OR_NONE,
    "only_new": FLAG,
    "timeout_ms": OR_NONE,
    "query": set(),
    "name": set(),
    "dim": OR_NONE,
    "metric": NONE,
    "embedder": {"None", "an empty text"},
    "create": FLAG | NONE,
    "filter": NONE | {"a mapping"},
    "order": NONE,
    "reverse": FLAG,
    "page_size": NUMBER | NONE,
    "cursor": NONE | {"an empty text"},
    "keys": SOME | TEXT,
    "fields": {"an empty list"},
    "limit": NUMBER,
    "dry_run": FLAG,
    "policy": set(),
    "merge": FLAG,
    "if_absent": FLAG,
    "expected_generations": OR_NONE,
    "timeout_s": {"None", "one", "a fraction", "a whole float"},
    "old": set(),
    "new": set(),
    "space": set(),
}
# By method and argument, what differs.
DIFFERENT: Final[dict[tuple[str, str], set[str]]] = {
    ("observe", "ids"): NONE,
    ("submit", "ids"): NONE,
    ("observe_batch", "ids"): NONE,
    ("delete", "ids"): SOME,
    ("erase", "ids"): SOME,
    ("update", "vectors"): NONE,
    ("get", "id"): SOME | TEXT,
    ("forget", "ids"): SOME,
    ("open", "query"): NONE,
    ("set_ttl", "ttl"): TTL,
    ("space", "ttl"): TTL,
    ("space", "vectors"): NONE,
    ("create_space", "ttl"): TTL,
    ("create_space", "metric"): set(),
    ("create_space", "embedder"): {"an empty text"},
}
ONE: Final = np.ones(DIM, np.float32)
QUERY: Final = RecallQuery(Cue(ONE))
# Valid arguments of each method, embedded and of a client.
EVERYWHERE: Final[dict[str, dict[str, Any]]] = {
    "observe": {"ids": ["seen"], "vectors": [ONE]},
    "submit": {"ids": ["seen"], "vectors": [ONE]},
    "update": {"ids": ["changed"], "confidences": [0.5]},
    "delete": {"ids": ["unknown"]},
    "recall": {"cue": ONE},
    "recall_stream": {"cue": ONE},
    "recall_many": {"cues": [ONE]},
    "follow": {"cue": Cue(ONE, score_min=0.5), "timeout_s": 0.05},
    "changes": {"after_generation": 0, "timeout_s": 0.05},
    "answer": {"query": QUERY},
    "open": {"query": QUERY},
    "get": {"id": "unknown"},
    "scan": {},
    "count": {},
    "facets": {"keys": "room"},
    "clear": {},
    "erase": {"ids": ["unknown"]},
    "snapshot": {},
    "stats": {},
    "wait_indexed": {},
}
# No call of a server changes the retention of a space, and its default time to live.
SPACE: Final[dict[str, dict[str, Any]]] = EVERYWHERE | {
    "set_retention": {"policy": RetentionPolicy()},
    "set_ttl": {"ttl": 60},
}
CLIENT: Final[dict[str, dict[str, Any]]] = EVERYWHERE | {
    "observe_batch": {"ids": ["seen"], "vectors": [ONE]},
    "forget": {"ids": ["unknown"]},
    "create_space": {"name": "surface", "dim": DIM},
    "drop_space": {"name": "surface"},
    "rename_space": {"old": "surface", "new": "renamed"},
    "set_alias": {"name": "current", "space": "surface"},
    "drop_alias": {"name": "current"},
    "aliases": {},
    "connect": {},
    "flush": {},
    "close": {},
    "status": {},
    "space_status": {},
    "spaces": {},
    "unsound_spaces": {},
}
STORE: Final[dict[str, dict[str, Any]]] = {
    "space": {"name": "surface", "dim": DIM},
    "spaces": {},
    "drop": {"name": "surface"},
    "rename": {"old": "surface", "new": "renamed"},
    "alias": {"name": "current", "space": "surface"},
    "aliases": {},
    "drop_alias": {"name": "current"},
    "close": {},
}
LOCAL_STORE: Final[dict[str, dict[str, Any]]] = STORE | {
    name: {} for name in ("scrub", "checkpoint", "metrics", "damages", "problems", "worker_statistics")
}
# The homes that are tried.
PLACES: Final = ("embedded",)
# What a call needs that may have taken it away: an update may have its observation expire.
RENEWED: Final[dict[str, Callable[[Any], object]]] = {
    "update": lambda space: space.observe(["changed"], [ONE], ttl=math.inf),
}
# What ends the use of the object, or empties it, is tried with bad arguments only.
ENDS: Final = {"close", "clear"}
WRITES: Final = {"observe", "submit", "update", "delete", "erase", "set_retention", "set_ttl"}
FOLLOWS: Final = {"follow", "changes"}
# They go on to what has their new names, so what takes long to refuse is tried with those.
RENAMED: Final = {"observe_batch", "forget"}


def kind_of(thing: Any) -> type:
    return type(thing._inner) if isinstance(thing, Blocking) else type(thing)


def problems(thing: Any, cases: dict[str, dict[str, Any]], state: Callable[[], object]) -> list[str]:
    """What is wrong with the public methods of `thing`."""
    kind = kind_of(thing)
    missing = public_methods(kind) ^ cases.keys()
    found = [f"{name} is in no table, or is no method" for name in sorted(missing)]
    for name in sorted(public_methods(kind) & cases.keys()):

        def call(name: str = name, /, **arguments: Any) -> None:
            given = getattr(thing, name)(**arguments)
            if hasattr(given, "result"):
                given.result(30)
            if hasattr(given, "__next__"):
                next(given, None)
                getattr(given, "close", lambda: None)()

        taken = TAKEN | {argument: labels for (method, argument), labels in DIFFERENT.items() if method == name}
        method, valid = getattr(kind, name), cases[name]
        renew = RENEWED.get(name, lambda thing: None)
        worse = {} if name in RENAMED else worse_values()
        wrong = problems_of(method, call, valid, taken, state, worse, ends=name in ENDS, renew=partial(renew, thing))
        found += [f"{name}: {each}" for each in wrong]
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("place", PLACES)
def test_spaces_and_clients(place: str, server: SocketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # Some of what is taken expires at once, and what is removed then would look like a write.
    monkeypatch.setattr(ExpiryRemoval, "remove", lambda *_: None)
    with HOMES[place].space(server) as space:
        space.observe(["kept", "changed"], [ONE, ONE])
        cases = CLIENT if "client" in place else SPACE
        assert problems(space, cases, lambda: space.stats().durable_generation) == []
        assert space.get("kept") is not None


def test_a_store_in_this_process() -> None:
    with MemoryStore(None) as store:
        taken = problems(store, LOCAL_STORE, lambda: [space.name for space in store.spaces()])
        assert [each for each in taken if "name: a text" not in each] == []


def test_an_asynchronous_store_in_this_process() -> None:
    assert public_methods(AsyncMemoryStore) == STORE.keys()


@pytest.mark.parametrize("argument", ["path", "options", "read_only"])
def test_a_new_store(argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for label, bad in BAD.items():
        if (argument, label) in {("path", "None"), ("path", "a text")}:
            continue
        with pytest.raises(EngramError):
            MemoryStore(**{"path": "data", argument: bad}).close()


@pytest.mark.parametrize("name", SPACE)
def test_a_closed_store(name: str) -> None:
    """What still works after the close answers; everything else is refused as closed."""
    store = MemoryStore(None)
    space = store.space("notes", DIM)
    store.close()
    try:
        given = getattr(space, name)(**SPACE[name])
        if hasattr(given, "result"):
            given.result(30)
    except EngramError as error:
        assert (name in WRITES | FOLLOWS, error.code) == (True, "closed")  # noqa: PT017
    else:
        assert name not in WRITES | FOLLOWS

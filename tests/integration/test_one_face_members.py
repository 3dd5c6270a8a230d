"""Spaces, snapshots and stores have the same members wherever they are, and a test for all homes tells of each."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import get_overloads

import pytest

from engram import AsyncClient, Client, MemoryStore, Space
from engram.client.snapshot import AsyncClientSnapshot, ClientSnapshot
from engram.connection.async_memory_store import AsyncMemoryStore
from engram.connection.async_remote_store import AsyncRemoteStore
from engram.connection.async_space import AsyncSnapshot, AsyncSpace
from engram.connection.remote_store import RemoteStore
from engram.model.columns import MANY_KEYWORDS, ONE_KEYWORDS
from engram.store import Snapshot

FACES = (Space, AsyncSpace, Client, AsyncClient)
SNAPSHOTS = (Snapshot, AsyncSnapshot, ClientSnapshot, AsyncClientSnapshot)
STORES = (MemoryStore, AsyncMemoryStore, RemoteStore, AsyncRemoteStore)
# A client also opens a session, has a server, and knows its space and some calls by old names.
OF_CLIENTS = {
    *("connect", "flush", "close", "session_id", "durable_sequence", "incarnation"),
    *("address", "status", "space_status", "create_space", "spaces", "unsound_spaces"),
    *("drop_space", "rename_space", "set_alias", "drop_alias", "aliases"),
    *("space", "forget", "observe_batch"),
}
# What is at hand where the engine is; `stats` tells the generations everywhere.
OF_EMBEDDED_SPACES = {
    *("config", "incarnation", "generation", "durable_generation", "indexed_generation", "visible_generation"),
    *("retention", "set_retention", "ttl_s", "set_ttl"),
}
HERE = Path(__file__).parent
# Where spaces, snapshots, stores and clients at every place are tested, and by which names.
SUITES = {
    FACES: (["test_one_face*.py"], {"home", "reading_home", "filled_home"}),
    SNAPSHOTS: (["test_one_face*.py"], {"held"}),
    STORES: (["test_one_store.py"], {"store"}),
    (Client, AsyncClient): (["test_client_calls.py", "test_client_names.py", "test_one_face*.py"], {"client", "home"}),
}


def members(face: type) -> set[str]:
    return {name for name in dir(face) if not name.startswith("_")}


def shared(faces: tuple[type, ...]) -> set[str]:
    return set.intersection(*map(members, faces))


def methods(faces: tuple[type, ...]) -> list[str]:
    return sorted(name for name in shared(faces) if callable(getattr(faces[0], name)))


def told_of(patterns: list[str], variables: set[str]) -> set[str]:
    """The attributes of `variables` that are used in tests."""
    texts = [path.read_text(encoding="utf-8") for pattern in patterns for path in HERE.glob(pattern)]
    return {
        node.attr
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in variables
    }


def test_no_place_has_members_of_its_own() -> None:
    everywhere = shared(FACES)
    assert members(Space) - everywhere == OF_EMBEDDED_SPACES
    assert members(AsyncSpace) == everywhere
    assert members(Client) - everywhere == OF_CLIENTS
    # It sets this one when it is made.
    assert (members(AsyncClient) | {"space"}) - everywhere == OF_CLIENTS
    assert members(ClientSnapshot) == members(AsyncClientSnapshot) == members(Snapshot) == shared(SNAPSHOTS)


@pytest.mark.parametrize("faces", SUITES, ids=lambda faces: faces[0].__name__)
def test_every_member_has_a_case_at_every_place(faces: tuple[type, ...]) -> None:
    assert shared(faces) - told_of(*SUITES[faces]) == set()


@pytest.mark.parametrize("name", methods(FACES))
def test_homes_have_the_same_arguments(name: str) -> None:
    shapes = [
        [(one.name, one.kind, one.default) for one in inspect.signature(getattr(home, name)).parameters.values()]
        for home in FACES
    ]
    if name == "open":
        # A client once opened its session so, and does for one release.
        shapes = [[(one, kind, inspect.Parameter.empty) for one, kind, _ in shape] for shape in shapes]
    assert shapes == shapes[:1] * 4


@pytest.mark.parametrize(("name", "beside"), [("observe", []), ("submit", []), ("update", ["merge"])])
def test_homes_say_the_same_of_one_and_of_many(name: str, beside: list[str]) -> None:
    """What editors and type checkers are told; what the bodies take is what the tests below pass."""
    first, *others = [
        [list(inspect.signature(one).parameters.values()) for one in get_overloads(getattr(home, name))]
        for home in FACES
    ]
    assert others == [first] * 3
    assert [[one.name for one in overload] for overload in first] == [
        ["self", *ONE_KEYWORDS[:3], *beside, "fields"],
        ["self", *MANY_KEYWORDS[:3], *beside, "columns"],
    ]


@pytest.mark.parametrize("name", methods(SNAPSHOTS))
def test_snapshots_have_the_same_arguments(name: str) -> None:
    first, *others = [
        [(one.name, one.kind, one.default) for one in inspect.signature(getattr(home, name)).parameters.values()]
        for home in SNAPSHOTS
    ]
    assert others == [first] * 3

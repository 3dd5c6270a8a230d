"""The behaviours of a server: what answers each operation, for every transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

from engram.model.operations import table
from engram.server.engine import Engine
from engram.server.handlers.changes import changes
from engram.server.handlers.look_up import count, get, snapshot
from engram.server.handlers.naming import drop_alias, drop_space, list_aliases, rename_space, set_alias
from engram.server.handlers.recall import recall, recall_many, recall_stream
from engram.server.handlers.scans import facets, scan
from engram.server.handlers.spaces import create_space, describe_server, describe_space, list_spaces
from engram.server.handlers.updates import update
from engram.server.handlers.writes import clear, delete, erase, observe

Behaviour = Callable[[Engine, Any, Callable[[Any], Any]], Awaitable[Any]]
"""Answers one operation: takes the request of an authorized caller, and returns the result as its encoder made it.

The encoder is called where it delays nobody: for results with many hits, on a recall thread.
"""

StreamBehaviour = Callable[[Engine, Any, Callable[[Any], Any]], AsyncGenerator[Any, None]]
"""Answers one operation that streams: like a `Behaviour`, and yields the encoded results."""

BEHAVIOURS: Final[dict[str, Behaviour]] = {
    table.OBSERVE.name: observe,
    table.UPDATE.name: update,
    table.DELETE.name: delete,
    table.CLEAR.name: clear,
    table.ERASE.name: erase,
    table.GET.name: get,
    table.SCAN.name: scan,
    table.FACETS.name: facets,
    table.RECALL.name: recall,
    table.RECALL_MANY.name: recall_many,
    table.COUNT.name: count,
    table.SNAPSHOT.name: snapshot,
    table.CREATE_SPACE.name: create_space,
    table.DROP_SPACE.name: drop_space,
    table.RENAME_SPACE.name: rename_space,
    table.SET_ALIAS.name: set_alias,
    table.DROP_ALIAS.name: drop_alias,
    table.ALIASES.name: list_aliases,
    table.SPACE.name: describe_space,
    table.SPACES.name: list_spaces,
    table.STATUS.name: describe_server,
}
"""What answers the operations that have one result, by their names."""

STREAM_BEHAVIOURS: Final[dict[str, StreamBehaviour]] = {
    table.RECALL_STREAM.name: recall_stream,
    table.CHANGES.name: changes,
}
"""What answers the operations that stream, by their names."""

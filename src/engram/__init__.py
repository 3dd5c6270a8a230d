"""Engram: a streaming memory engine.

Stream observations (text, embedding, time, confidence, metadata) in, and recall them by similarity at the same moment.
An acknowledgement means durable and already recallable.

Names are loaded on first use, so that ``import engram`` stays quick and needs no optional dependency.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engram.client import AsyncClient, Client
    from engram.connection import connect, connect_async
    from engram.errors import EngramError
    from engram.index import HnswIndex
    from engram.model.ack import Ack, Deletion
    from engram.model.cue import Between, Cue, Filter
    from engram.model.hit import Hit, Hits
    from engram.model.query import RecallQuery
    from engram.model.strength import Strength
    from engram.model.values.retention_policy import RetentionPolicy
    from engram.store import MemoryStore, RecallStream, Snapshot, Space, StoreOptions

__version__ = "0.2.0"
__all__ = [
    "Ack",
    "AsyncClient",
    "Between",
    "Client",
    "Cue",
    "Deletion",
    "EngramError",
    "Filter",
    "Hit",
    "Hits",
    "HnswIndex",
    "MemoryStore",
    "RecallQuery",
    "RecallStream",
    "RetentionPolicy",
    "Snapshot",
    "Space",
    "StoreOptions",
    "Strength",
    "__version__",
    "connect",
    "connect_async",
]

_HOMES = {
    "Ack": "engram.model.ack",
    "AsyncClient": "engram.client",
    "Between": "engram.model.cue",
    "Client": "engram.client",
    "Cue": "engram.model.cue",
    "Deletion": "engram.model.ack",
    "EngramError": "engram.errors",
    "Filter": "engram.model.cue",
    "Hit": "engram.model.hit",
    "Hits": "engram.model.hit",
    "HnswIndex": "engram.index",
    "MemoryStore": "engram.store",
    "RecallQuery": "engram.model.query",
    "RecallStream": "engram.store",
    "RetentionPolicy": "engram.model.values.retention_policy",
    "Snapshot": "engram.store",
    "Space": "engram.store",
    "StoreOptions": "engram.store",
    "Strength": "engram.model.strength",
    "connect": "engram.connection",
    "connect_async": "engram.connection",
}


def __getattr__(name: str) -> object:
    if name == "_core":
        # Each `from engram import _core` comes here first, as long as the core is not there.
        return importlib.import_module("engram.native_core").load()
    if name not in _HOMES:
        raise AttributeError(f"module 'engram' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))

"""Engram: a streaming memory engine.

Stream observations (text, embedding, time, confidence, metadata) in, and recall them by similarity at the same moment.
An acknowledgement means durable and already recallable.

Names are loaded on first use, so that ``import engram`` stays quick and needs no optional dependency.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engram.client import AsyncClient, Client
    from engram.errors import EngramError
    from engram.index import HnswIndex
    from engram.store import Between, Cue, Filter, Hit, MemoryStore, RecallStream, Snapshot, Space, Strength

__version__ = "0.2.0"
__all__ = [
    "AsyncClient",
    "Between",
    "Client",
    "Cue",
    "EngramError",
    "Filter",
    "Hit",
    "HnswIndex",
    "MemoryStore",
    "RecallStream",
    "Snapshot",
    "Space",
    "Strength",
    "__version__",
]

_HOMES = {
    "AsyncClient": "engram.client",
    "Between": "engram.model.cue",
    "Client": "engram.client",
    "Cue": "engram.model.cue",
    "EngramError": "engram.errors",
    "Filter": "engram.model.cue",
    "Hit": "engram.model.hit",
    "HnswIndex": "engram.index",
    "MemoryStore": "engram.store",
    "RecallStream": "engram.store",
    "Snapshot": "engram.store",
    "Space": "engram.store",
    "Strength": "engram.model.strength",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'engram' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))

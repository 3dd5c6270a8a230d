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
    from engram.model.cue import Cue
    from engram.model.filters.conditions import Condition
    from engram.model.filters.fields import F, Own
    from engram.model.filters.filter import Between, Filter
    from engram.model.filters.text import parse_filter
    from engram.model.following.change import Change
    from engram.model.following.following import AsyncFollowing, Following
    from engram.model.hit import Hit, Hits
    from engram.model.operations.erasure_receipt import ErasureReceipt
    from engram.model.operations.results import Counted
    from engram.model.query import RecallQuery
    from engram.model.scans.facets import Facet, Facets, FacetValue
    from engram.model.scans.page import FoundHits, ScanPage
    from engram.model.scans.scan import AsyncScan, Scan
    from engram.model.strength import Strength
    from engram.model.values.retention_policy import RetentionPolicy
    from engram.store import MemoryStore, RecallStream, Snapshot, Space, StoreOptions

__version__ = "0.2.0"
__all__ = [
    "Ack",
    "AsyncClient",
    "AsyncFollowing",
    "AsyncScan",
    "Between",
    "Change",
    "Client",
    "Condition",
    "Counted",
    "Cue",
    "Deletion",
    "EngramError",
    "ErasureReceipt",
    "F",
    "Facet",
    "FacetValue",
    "Facets",
    "Filter",
    "Following",
    "FoundHits",
    "Hit",
    "Hits",
    "HnswIndex",
    "MemoryStore",
    "Own",
    "RecallQuery",
    "RecallStream",
    "RetentionPolicy",
    "Scan",
    "ScanPage",
    "Snapshot",
    "Space",
    "StoreOptions",
    "Strength",
    "__version__",
    "connect",
    "connect_async",
    "parse_filter",
]

_HOMES = {
    "Ack": "engram.model.ack",
    "AsyncClient": "engram.client",
    "AsyncFollowing": "engram.model.following.following",
    "AsyncScan": "engram.model.scans.scan",
    "Between": "engram.model.filters.filter",
    "Change": "engram.model.following.change",
    "Client": "engram.client",
    "Condition": "engram.model.filters.conditions",
    "Counted": "engram.model.operations.results",
    "Cue": "engram.model.cue",
    "Deletion": "engram.model.ack",
    "EngramError": "engram.errors",
    "ErasureReceipt": "engram.model.operations.erasure_receipt",
    "F": "engram.model.filters.fields",
    "Facet": "engram.model.scans.facets",
    "FacetValue": "engram.model.scans.facets",
    "Facets": "engram.model.scans.facets",
    "Filter": "engram.model.filters.filter",
    "Following": "engram.model.following.following",
    "FoundHits": "engram.model.scans.page",
    "Hit": "engram.model.hit",
    "Hits": "engram.model.hit",
    "HnswIndex": "engram.index",
    "MemoryStore": "engram.store",
    "Own": "engram.model.filters.fields",
    "RecallQuery": "engram.model.query",
    "RecallStream": "engram.store",
    "RetentionPolicy": "engram.model.values.retention_policy",
    "Scan": "engram.model.scans.scan",
    "ScanPage": "engram.model.scans.page",
    "Snapshot": "engram.store",
    "Space": "engram.store",
    "StoreOptions": "engram.store",
    "Strength": "engram.model.strength",
    "connect": "engram.connection",
    "connect_async": "engram.connection",
    "parse_filter": "engram.model.filters.text",
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

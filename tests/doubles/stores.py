"""Stores with parts of their own."""

from __future__ import annotations

from typing import Any

from engram.lifecycle.opened_directories import Holding
from engram.store import MemoryStore
from engram.store.store_engine import StoreEngine


def store_on(**parts: Any) -> MemoryStore:
    """A store on a `storage`, or with an `intake`, of the test."""
    store = object.__new__(MemoryStore)
    store._hold(Holding(StoreEngine(parts.pop("path", None), **parts)))
    return store

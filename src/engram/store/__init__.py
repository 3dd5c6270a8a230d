"""The store: spaces, their commits and recalls, checkpoints, recovery. It begins in `engram.store.memory_store`."""

from engram.store.hits import Hit
from engram.store.memory_store import MemoryStore
from engram.store.options import StoreOptions
from engram.store.snapshot import Snapshot
from engram.store.space import Space

__all__ = ["Hit", "MemoryStore", "Snapshot", "Space", "StoreOptions"]

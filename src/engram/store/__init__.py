"""The store: spaces, their commits and recalls, checkpoints, recovery. It begins in `engram.store.memory_store`."""

from engram.store.cue import Between, Cue, Filter
from engram.store.hits import Hit
from engram.store.memory_store import MemoryStore
from engram.store.options import StoreOptions
from engram.store.recall_stream import RecallStream
from engram.store.snapshot import Snapshot
from engram.store.space import Space
from engram.store.strength import Strength

__all__ = [
    "Between",
    "Cue",
    "Filter",
    "Hit",
    "MemoryStore",
    "RecallStream",
    "Snapshot",
    "Space",
    "StoreOptions",
    "Strength",
]

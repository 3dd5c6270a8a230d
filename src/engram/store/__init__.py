"""The store: spaces, commits, recalls, checkpoints and recovery; `engram.store.memory_store` is the entry point."""

from engram.model.cue import Between, Cue, Filter
from engram.model.hit import Hit
from engram.model.strength import Strength
from engram.store.memory_store import MemoryStore
from engram.store.options import StoreOptions
from engram.store.recall.snapshot import Snapshot
from engram.store.recall.stream import RecallStream
from engram.store.space import Space

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

"""The streaming graph index: vectors are found from the moment they are published, and linked in the background."""

from engram.index.hnsw import GraphStatistics, HnswIndex, Quality

__all__ = ["GraphStatistics", "HnswIndex", "Quality"]

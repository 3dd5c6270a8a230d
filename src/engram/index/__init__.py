"""The streaming graph index: a vector is searchable as soon as it is published and is linked in the background."""

from engram.index.cues import CueTable
from engram.index.hnsw import HnswIndex
from engram.index.quality import Quality
from engram.index.row_checks import RawVectors
from engram.index.scores import exact_scores, similarities
from engram.index.statistics import GraphStatistics
from engram.index.walk import Walk

__all__ = [
    "CueTable",
    "GraphStatistics",
    "HnswIndex",
    "Quality",
    "RawVectors",
    "Walk",
    "exact_scores",
    "similarities",
]

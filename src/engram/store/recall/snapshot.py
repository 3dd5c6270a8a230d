"""Snapshots: a space as it was at one generation."""

from __future__ import annotations

from typing import Unpack

from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike, as_filter
from engram.model.hit import Hit, Hits
from engram.model.operations.results import Counted
from engram.model.query import BATCH_DEFAULT, RESULTS_DEFAULT, RecallQuery
from engram.model.recall_options import (
    STREAM_COUNT_DEFAULT,
    SnapshotRecallOptions,
    SnapshotStreamOptions,
    recall_query,
    stream_query,
)
from engram.model.values.keywords import accepts_old, spelled_out
from engram.model.values.scalars import as_flag, as_text
from engram.store.recall.executor import RecallExecutor
from engram.store.recall.stream import RecallStream


class Snapshot:
    """Answers from the observations that were alive at `generation`, whatever is written meanwhile.

    A snapshot costs nothing to make or keep, and any thread may use it. It stays valid as long as it is referenced,
    even if its generation is older than what the store retains for others. Made by `Space.snapshot`.

    Parameters
    ----------
    reader
        Executor of the space's recalls.
    generation
        Generation of the snapshot.
    """

    __slots__ = ("__weakref__", "_reader", "generation")

    def __init__(self, reader: RecallExecutor, generation: int) -> None:
        self._reader = reader
        self.generation: int = generation

    def __repr__(self) -> str:
        return f"Snapshot(generation={self.generation})"

    def get(self, id: str, *, include_vectors: bool = False) -> Hit | None:
        """Return the observation with this id, or None; see `Space.get`."""
        as_flag("include_vectors", include_vectors)
        return self._reader.get(as_text("id", id), self.generation)

    def count(self, filter: FilterLike | None = None) -> Counted:
        """Return how many observations pass a filter; see `Space.count`."""
        return self._reader.count(as_filter(filter), self.generation)

    @accepts_old("ef")
    @spelled_out(SnapshotRecallOptions)
    def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[SnapshotRecallOptions]) -> Hits:
        """Return the best hits; see `Space.recall`."""
        answer = self._reader.recall(recall_query(cue, k, **options), self.generation)
        return Hits(answer.hits, answer.generation, answer.incomplete)

    @accepts_old(max_results="k")
    @spelled_out(SnapshotStreamOptions)
    def recall_stream(
        self,
        cue: CueLike,
        k: int = STREAM_COUNT_DEFAULT,
        batch_size: int = BATCH_DEFAULT,
        **options: Unpack[SnapshotStreamOptions],
    ) -> RecallStream:
        """Return the best hits in batches; see `Space.recall_stream`."""
        return self._open(stream_query(cue, k, batch_size, **options))

    def _open(self, query: RecallQuery) -> RecallStream:
        return self._reader.stream(query, self.generation)

"""Snapshots: a space as it was at one generation."""

from __future__ import annotations

from engram.model.cue import CueLike, as_cue
from engram.model.hit import Hit, Hits
from engram.model.query import RecallQuery
from engram.model.strength import Strength
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
        self.generation = generation

    def get(self, id: str) -> Hit | None:
        """Return the observation with this id, or None; see `Space.get`."""
        return self._reader.get(id, self.generation)

    def recall(
        self,
        cue: CueLike,
        k: int = 10,
        ef: int | None = None,
        *,
        strength: Strength | None = None,
        skip_damaged: bool = False,
    ) -> Hits:
        """Return the best hits; see `Space.recall`."""
        query = RecallQuery(as_cue(cue), results_max=k, ef=ef, strength=strength, skip_damaged=skip_damaged)
        answer = self._reader.recall(query, self.generation)
        return Hits(answer.hits, answer.generation, answer.incomplete)

    def recall_stream(
        self,
        cue: CueLike,
        max_results: int = 100,
        batch_size: int = 10,
        *,
        ef: int | None = None,
        include_recent: bool = False,
        strength: Strength | None = None,
        skip_damaged: bool = False,
    ) -> RecallStream:
        """Return the best hits in batches; see `Space.recall_stream`."""
        query = RecallQuery(
            as_cue(cue),
            max_results,
            batch_size,
            ef=ef,
            include_recent=include_recent,
            strength=strength,
            skip_damaged=skip_damaged,
        )
        return self._reader.stream(query, self.generation)

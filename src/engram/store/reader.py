"""Recalls and look-ups in one space."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.limits import EF_MAX, RECALL_BATCH_MAX, RESULTS_MAX
from engram.observations import check_query
from engram.spaces import SpaceConfig
from engram.store.hits import Hit, stored_hit
from engram.store.state import SpaceState
from engram.text import Embedder, get_embedder


class Reader:
    """Answers from the state of a space, on any thread, without locks.

    Parameters
    ----------
    config
        The space's settings.
    state
        Where to look.
    ef_default
        Breadth of the graph search where the caller names none.
    """

    def __init__(self, config: SpaceConfig, state: SpaceState, ef_default: int) -> None:
        self._config = config
        self._state = state
        self._ef_default = ef_default

    @cached_property
    def embedder(self) -> Embedder:
        """The space's embedder.

        Raises
        ------
        FailedPrecondition
            If it has none.
        """
        return get_embedder(self._config.embedder, self._config.dim)

    def recall(self, cue: ArrayLike | str, k: int, max_generation: int | None, ef: int | None) -> list[Hit]:
        """See `Space.recall`."""
        check_range("k", k, 1, RESULTS_MAX)
        if ef is not None:
            check_range("ef", ef, 1, EF_MAX)
        return self._search(self._query(cue), k, self._snapshot(max_generation), ef)

    def stream(
        self, cue: ArrayLike | str, max_results: int, batch_size: int, max_generation: int | None
    ) -> Iterator[list[Hit]]:
        """See `Space.recall_stream`."""
        check_range("max_results", max_results, 1, RESULTS_MAX)
        check_range("batch_size", batch_size, 1, RECALL_BATCH_MAX)
        # Checked and pinned here; the generator below only begins to run with its first batch.
        return self._batches(self._query(cue), max_results, batch_size, self._snapshot(max_generation))

    def get(self, id: str, max_generation: int | None) -> Hit | None:
        """See `Space.get`."""
        state = self._state
        if max_generation is None:
            generation = state.versions.live(id)
        else:
            generation = state.versions.at(id, self._snapshot(max_generation), state.log)
        return None if generation is None else self._hit(generation, 1.0, state.index.indexed_generation)

    def _batches(
        self, query: NDArray[np.float32], max_results: int, batch_size: int, generation: int
    ) -> Iterator[list[Hit]]:
        hits = self._search(query, max_results, generation, None)
        for start in range(0, len(hits), batch_size):
            yield hits[start : start + batch_size]

    def _search(self, query: NDArray[np.float32], k: int, generation: int, ef: int | None) -> list[Hit]:
        if generation == 0:
            return []
        index = self._state.index
        # Asked before the search: what is called indexed then was certainly not found in the tail.
        indexed = index.indexed_generation
        generations, scores = index.search(query, k, ef or self._ef_default, max_generation=generation)
        return [
            self._hit(found, score, indexed)
            for found, score in zip(generations.tolist(), scores.tolist(), strict=True)
            if found
        ]

    def _hit(self, generation: int, score: float, indexed: int) -> Hit:
        record, row = self._state.log.locate(generation)
        return stored_hit(record, row, score, generation <= indexed)

    def _query(self, cue: ArrayLike | str) -> NDArray[np.float32]:
        if isinstance(cue, str):
            cue = self.embedder.embed([cue])[0]
        return check_query(cue, self._config)

    def _snapshot(self, max_generation: int | None) -> int:
        visible = self._state.index.visible_generation
        if max_generation is None:
            return visible
        if max_generation < 0:
            raise InvalidInput(
                f"max_generation is {max_generation}; generations count from 1",
                code="invalid_max_generation",
                field="max_generation",
                limit=">= 0",
                value=max_generation,
            )
        return min(max_generation, visible)


def check_range(field: str, value: int, low: int, high: int) -> None:
    """Refuse `value` unless it is within `low` and `high`.

    Raises
    ------
    InvalidInput
        Naming the field and the limits.
    """
    if not low <= value <= high:
        raise InvalidInput(
            f"{field} is {value}; it must be within {low}..{high}",
            code=f"invalid_{field}",
            field=field,
            limit=f"{low}..{high}",
            value=value,
        )

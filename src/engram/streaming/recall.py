"""A recall as every transport asks for it: its bounds, its filters, and the one snapshot it answers from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.limits import EF_MAX, RECALL_BATCH_MAX, RESULTS_MAX
from engram.store.hits import Hit
from engram.store.space import Space

RESULTS_DEFAULT: Final = 10
BATCH_DEFAULT: Final = 10
# Tags are looked at after the search, so a filtered recall looks at this many times the results it is asked for.
_FILTER_FACTOR: Final = 10


@dataclass(frozen=True, slots=True)
class RecallQuery:
    """What to recall.

    Parameters
    ----------
    cue
        A vector, or a text for the space's embedder.
    results_max
        At most this many hits, 1 to 10 000.
    batch_size
        Hits per batch when streamed, 1 to 100.
    max_generation
        Only observations up to this generation; None for the newest at the start.
    ef
        Breadth of the graph search; None for the default.
    threshold
        Only hits with at least this score; None for all.
    required_tags, excluded_tags
        Only hits with all of the first and none of the second, among the nearest ``10 * results_max``.

    Raises
    ------
    InvalidInput
        If a number is out of bounds.
    """

    cue: NDArray[np.float32] | str
    results_max: int = RESULTS_DEFAULT
    batch_size: int = BATCH_DEFAULT
    max_generation: int | None = None
    ef: int | None = None
    threshold: float | None = None
    required_tags: frozenset[str] = frozenset()
    excluded_tags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        _check("max_results", self.results_max, RESULTS_MAX)
        _check("batch_size", self.batch_size, RECALL_BATCH_MAX)
        if self.ef is not None:
            _check("ef", self.ef, EF_MAX)


@dataclass(frozen=True, slots=True)
class Recalled:
    """The answer to a recall: the hits, best first, and the generation of the snapshot they are from.

    `found` counts the hits before threshold and tags were applied.
    """

    hits: Sequence[Hit]
    generation: int
    found: int
    elapsed_ms: float


def recall(space: Space, query: RecallQuery) -> Recalled:
    """Answer `query` from one snapshot of `space`. Takes long enough to be run off the event loop.

    Raises
    ------
    InvalidInput
        If the cue does not fit the space.
    FailedPrecondition
        If the cue is a text and the space has no embedder.
    """
    start_s = time.perf_counter()
    # Naming the generation makes it known; the store would otherwise pick the newest, a moment later.
    newest = space.generation
    generation = newest if query.max_generation is None else min(query.max_generation, newest)
    filtered = bool(query.required_tags or query.excluded_tags)
    k = min(RESULTS_MAX, query.results_max * _FILTER_FACTOR) if filtered else query.results_max
    hits = space.recall(query.cue, k=k, max_generation=generation, ef=query.ef)
    kept: Sequence[Hit] = hits
    if query.threshold is not None:
        threshold = query.threshold
        kept = [hit for hit in kept if hit.score >= threshold]
    if filtered:
        kept = [hit for hit in kept if _has_tags(hit, query)]
    return Recalled(kept[: query.results_max], generation, len(hits), (time.perf_counter() - start_s) * 1000)


def _has_tags(hit: Hit, query: RecallQuery) -> bool:
    tags = set(hit.tags)
    return query.required_tags <= tags and not query.excluded_tags & tags


def _check(field: str, value: int, value_max: int) -> None:
    if not 1 <= value <= value_max:
        raise InvalidInput(
            f"{field} is {value}; it must be within 1..{value_max}",
            code=f"invalid_{field}",
            field=field,
            limit=f"1..{value_max}",
            value=value,
        )

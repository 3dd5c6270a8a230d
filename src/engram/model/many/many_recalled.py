"""The result of a recall of many cues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from engram.model.hit import Hit, Hits


@dataclass(frozen=True, slots=True)
class ManyRecalled:
    """The result of a recall of many cues.

    Attributes
    ----------
    results
        The hits of each cue, best first, in the order of the cues.
    generation
        Generation of the snapshot that all of them are from.
    due_us
        What was due at this time, microseconds since 1970 UTC, was hidden; 0: nothing was, because the generation was
        named, or nothing expires.
    """

    results: Sequence[Hits]
    generation: int
    due_us: int = 0

    @property
    def hits(self) -> list[Hit]:
        """All hits, those of the first cue first."""
        return list(chain.from_iterable(self.results))

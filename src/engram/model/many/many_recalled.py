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
    """

    results: Sequence[Hits]
    generation: int

    @property
    def hits(self) -> list[Hit]:
        """All hits, those of the first cue first."""
        return list(chain.from_iterable(self.results))

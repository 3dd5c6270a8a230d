"""A space as it was at one generation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from engram.store.hits import Hit

if TYPE_CHECKING:
    from engram.store.space import Space


class Snapshot:
    """Answers from the observations that were alive at `generation`, whatever is written meanwhile.

    Costs nothing to make or keep; usable from any thread.

    Parameters
    ----------
    space
        The space.
    generation
        Which state of it.
    """

    __slots__ = ("generation", "space")

    def __init__(self, space: Space, generation: int) -> None:
        self.space = space
        self.generation = generation

    def get(self, id: str) -> Hit | None:
        """The observation with this id; see `Space.get`."""
        return self.space.get(id, max_generation=self.generation)

    def recall(self, cue: ArrayLike | str, k: int = 10, ef: int | None = None) -> list[Hit]:
        """The nearest observations; see `Space.recall`."""
        return self.space.recall(cue, k=k, max_generation=self.generation, ef=ef)

    def recall_stream(self, cue: ArrayLike | str, max_results: int = 100, batch_size: int = 10) -> Iterator[list[Hit]]:
        """The nearest observations in batches; see `Space.recall_stream`."""
        return self.space.recall_stream(cue, max_results, batch_size, max_generation=self.generation)

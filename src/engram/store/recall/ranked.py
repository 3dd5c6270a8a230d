"""Ranked observations: generations and scores, which belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Observations and the score of each, in an order: best first, or as the function that made it says.

    Parameters
    ----------
    generations
        int64, shape ``(n,)``.
    scores
        float32, shape ``(n,)``; a larger score is better.
    """

    generations: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.generations)

    def head(self, count: int) -> Ranked:
        """Return the first `count` observations."""
        return self if count >= len(self) else Ranked(self.generations[:count], self.scores[:count])

    def rest(self, count: int) -> Ranked:
        """Return all observations but the first `count`."""
        return self if count == 0 else Ranked(self.generations[count:], self.scores[count:])

    def where(self, kept: NDArray[np.bool_]) -> Ranked:
        """Return the observations where `kept`, of shape ``(n,)``, is true."""
        return Ranked(self.generations[kept], self.scores[kept])

    def at_least(self, score: float | None) -> Ranked:
        """Return the observations that score at least `score`; None: all."""
        return self if score is None else self.where(self.scores >= score)

    def best_first(self) -> Ranked:
        """Return the observations by descending score; equal scores keep their order."""
        order = np.argsort(-self.scores, kind="stable")
        return Ranked(self.generations[order], self.scores[order])

    def then(self, other: Ranked) -> Ranked:
        """Return these observations, followed by those of `other`."""
        if not self or not other:
            return self or other
        return Ranked(
            np.concatenate((self.generations, other.generations)), np.concatenate((self.scores, other.scores))
        )

    def merge(self, other: Ranked) -> Ranked:
        """Return the observations of two that are both best first, best first; ties go to those of `self`."""
        return self.then(other).best_first() if self and other else self or other

    def count_before(self, generation: int) -> int:
        """Return how many observations have smaller generations. The order is that of generations."""
        # Offers to a subscription are asked this, and nearly always none is earlier.
        if not self or self.generations[0] >= generation:
            return 0
        return int(np.searchsorted(self.generations, generation))


NOTHING: Final = Ranked(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))

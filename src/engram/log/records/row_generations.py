"""The generations of the rows of a record, which may have gaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class RowGenerations:
    """The generations of some rows, rising. Any thread may use it.

    Parameters
    ----------
    first_generation, last_generation
        Generations of the first and the last row.
    count
        Number of rows.

    Attributes
    ----------
    has_gaps
        Whether the generations of the rows are not contiguous, because a compaction dropped some between them.
    """

    __slots__ = ("_generations", "count", "first_generation", "has_gaps", "last_generation")

    def __init__(self, first_generation: int, last_generation: int, count: int) -> None:
        self.first_generation: int = first_generation
        self.last_generation: int = last_generation
        self.count: int = count
        self.has_gaps: bool = last_generation - first_generation + 1 != count
        # Read when they are first needed.
        self._generations: NDArray[np.int64] | None = None

    @property
    def generations(self) -> NDArray[np.int64]:
        """The generation of each row: int64, shape ``(count,)``, rising."""
        if self._generations is None:
            if not self.has_gaps:
                return np.arange(self.first_generation, self.last_generation + 1)
            self._generations = self._read_generations()
        return self._generations

    def generation(self, row: int) -> int:
        """Return the generation of one row."""
        return int(self.generations[row]) if self.has_gaps else self.first_generation + row

    def row_of(self, generation: int) -> int:
        """Return the row of a generation that is not before the first one; -1 if none has it."""
        # Nearly no record has gaps, and every hit of a recall asks.
        if not self.has_gaps:
            return generation - self.first_generation if generation <= self.last_generation else -1
        row = self.rows_until(generation) - 1
        return row if self.generation(row) == generation else -1

    def rows_until(self, generation: int) -> int:
        """Return the number of rows whose generation is at most `generation`."""
        if self.has_gaps and self.first_generation <= generation < self.last_generation:
            return int(self.generations.searchsorted(generation, "right"))
        return min(max(generation - self.first_generation + 1, 0), self.count)

    def rows_of(self, generations: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows with these generations, which the record has: int64, shape ``(n,)``."""
        return self.generations.searchsorted(generations) if self.has_gaps else generations - self.first_generation

    def _read_generations(self) -> NDArray[np.int64]:
        """Return what `generations` are if they have gaps."""
        raise NotImplementedError

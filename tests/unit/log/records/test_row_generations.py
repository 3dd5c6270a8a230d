"""The rows of generations, in records with gaps and without."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.log.records.row_generations import RowGenerations


class Gapped(RowGenerations):
    """Rows of the generations 5, 7 and 8."""

    def __init__(self) -> None:
        super().__init__(5, 8, 3)

    def _read_generations(self) -> NDArray[np.int64]:
        return np.array([5, 7, 8])


@pytest.mark.parametrize(("generation", "row"), [(5, 0), (7, 2), (8, -1), (100, -1)])
def test_without_gaps_a_row_is_counted(generation: int, row: int) -> None:
    assert RowGenerations(5, 7, 3).row_of(generation) == row


@pytest.mark.parametrize(("generation", "row"), [(5, 0), (6, -1), (7, 1), (8, 2), (9, -1)])
def test_with_gaps_it_is_looked_up(generation: int, row: int) -> None:
    assert Gapped().row_of(generation) == row

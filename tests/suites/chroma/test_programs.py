"""Random programs with Chroma as the oracle: the short form of ``python -m campaigns.chroma``."""

from __future__ import annotations

import pytest

from campaigns.chroma.comparison import Comparison
from campaigns.chroma.engram_side import EngramSide
from campaigns.chroma.normalisations import NORMALISATIONS
from campaigns.chroma.program import program


class Miscounting(EngramSide):
    """One that counts one row too many."""

    def count(self) -> int:
        return super().count() + 1


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_program_is_answered_as_chroma_answers_it(seed: int) -> None:
    comparison = Comparison()
    assert comparison.difference(program(seed)) is None
    assert comparison.answers > 0


def test_a_difference_is_found() -> None:
    assert Comparison(Miscounting).difference([*program(1), {"kind": "count"}]) is not None


def test_no_more_is_made_equal_than_was_agreed() -> None:
    assert len(NORMALISATIONS) <= 10

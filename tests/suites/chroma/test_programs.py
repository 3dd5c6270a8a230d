"""Random programs with Chroma as the oracle: the short form of ``python -m campaigns.chroma``."""

from __future__ import annotations

from itertools import pairwise

import pytest

from campaigns.chroma.comparison import Comparison
from campaigns.chroma.engram_side import EngramSide
from campaigns.chroma.normalisations import NORMALISATIONS
from campaigns.chroma.program import KINDS, Step, program

SEEDS = range(1, 21)


class Miscounting(EngramSide):
    """One that counts one row too many."""

    def count(self, step: Step) -> int:
        return super().count(step) + 1


class Backwards(EngramSide):
    """One that finds the farthest first."""

    def query(self, step: Step) -> list[tuple[str, float]]:
        return super().query(step)[::-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_program_is_answered_as_chroma_answers_it(seed: int) -> None:
    comparison = Comparison()
    assert comparison.difference(program(seed)) is None
    assert comparison.answers > 0


def test_a_difference_is_found() -> None:
    assert Comparison(Miscounting).difference([*program(1), {"kind": "count"}]) is not None


def test_hits_that_are_not_in_order_are_found() -> None:
    stored = {"kind": "add", "ids": ["id-1", "id-2"], "documents": None, "metadata": None}
    vectors = [[1.0] * 8, [1.0] * 7 + [-1.0]]
    asked = {"kind": "query", "vector": [1.0] * 8, "ids": None, "where": None, "where_document": None}
    program_of_two: list[Step] = [{**stored, "vectors": vectors}, asked]
    assert Comparison().difference(program_of_two) is None
    assert Comparison(Backwards).difference(program_of_two) is not None


def test_everything_is_asked_of_a_collection() -> None:
    steps = [step for seed in SEEDS for step in program(seed)]
    assert {step["kind"] for step in steps} == set(KINDS)
    filters = [step for step in steps if step.get("where_document") is not None]
    assert {step["kind"] for step in filters} == {"delete_where", "get_where", "query"}
    assert any(step.get("where") is not None and step.get("ids") is not None for step in filters)
    updates = [step for step in steps if step["kind"] == "update"]
    assert any(None in row.values() for step in updates if step["metadata"] is not None for row in step["metadata"])


def test_a_read_follows_each_update() -> None:
    for steps in map(program, SEEDS):
        assert steps[-1]["kind"] != "update"
        for step, following in pairwise(steps):
            assert step["kind"] != "update" or (following["kind"], following["ids"]) == ("get", step["ids"])


def test_no_more_is_made_equal_than_was_agreed() -> None:
    assert len(NORMALISATIONS) <= 10

"""Conditions of a write: looked at in the order of the requests, all or nothing, answered by what they depend on."""

from __future__ import annotations

import pytest

from engram.errors import EngramError, FailedPrecondition, Unavailable
from engram.log.records.header import RecordKind
from engram.store.commit.conditions import CONDITION_FAILED, unmet_condition
from engram.store.commit.queue import CommitResult
from tests.unit.store.commit.test_plan import Planner, ids, shapes

FULL = Unavailable("the disk is full", code="disk_full")


def planner_with(*alive: str) -> Planner:
    """A planner in whose space some ids are alive, with generations from 1 on."""
    planner = Planner(last_generation=len(alive))
    stored = planner.versions.change()
    stored.observe(alive, range(1, len(alive) + 1))
    planner.versions.apply(stored)
    return planner


def told(outcome: CommitResult | EngramError) -> CommitResult | tuple[str, str, str, str]:
    """A result, or what an error says."""
    if isinstance(outcome, CommitResult):
        return outcome
    return outcome.code, outcome.field, outcome.limit, outcome.value


@pytest.mark.parametrize(
    ("expected", "found", "field", "message"),
    [
        ([0], [7], "expected_generations[0]", "1 of 1 .* id 'a' has generation 7, and it must not be"),
        ([7], [0], "expected_generations[0]", "1 of 1 .* id 'a' is not alive, and generation 7 was expected"),
        ([7], [8], "expected_generations[0]", "1 of 1 .* id 'a' has generation 8, and generation 7 was expected"),
        ([1, 2, 3], [1, 0, 0], "expected_generations[1]", "2 of 3 .* id 'b' is not alive"),
    ],
)
def test_the_first_that_does_not_hold_is_named(expected: list[int], found: list[int], field: str, message: str) -> None:
    error = unmet_condition("abc"[: len(expected)], expected, found)
    assert isinstance(error, FailedPrecondition)
    row = int(field[-2])
    assert (error.code, error.field) == (CONDITION_FAILED, field)
    assert (error.limit, error.value) == (str(expected[row]), str(found[row]))
    with pytest.raises(FailedPrecondition, match=message):
        raise error


def test_nothing_is_said_of_conditions_that_hold() -> None:
    assert unmet_condition(["a", "b"], [0, 7], [0, 7]) is None


def test_what_earlier_requests_of_the_commit_do_counts() -> None:
    planner = planner_with("a").observe_if(["a"], [1]).observe_if(["a"], [1]).observe_if(["a", "b"], [2, 0])
    planner.delete("a").observe_if(["a"], [3]).observe_if(["a"], [0])
    assert [told(outcome) for outcome in planner.settled()] == [
        CommitResult(2, 2, 1),
        (CONDITION_FAILED, "expected_generations[0]", "1", "2"),
        CommitResult(3, 4, 2),
        CommitResult(5, 5, 1, existed=1, as_of=5),
        (CONDITION_FAILED, "expected_generations[0]", "3", "0"),
        CommitResult(6, 6, 1),
    ]
    assert shapes(planner.plan()) == [
        (RecordKind.OBSERVE, 2, 3, "", 0),
        (RecordKind.DELETE, 5, 1, "", 0),
        (RecordKind.OBSERVE, 6, 1, "", 0),
    ]


def test_nothing_is_stored_unless_all_conditions_hold() -> None:
    planner = planner_with("a").observe_if(["new", "a"], [0, 2]).observe_if(ids(100), [0] * 99 + [1])
    assert [told(outcome) for outcome in planner.settled()] == [
        (CONDITION_FAILED, "expected_generations[1]", "2", "1"),
        (CONDITION_FAILED, "expected_generations[99]", "1", "0"),
    ]
    plan = planner.plan()
    assert (plan.entries(), plan.observed, plan.last_generation) == ([], 0, 1)


def test_observations_of_sessions_and_without_conditions_are_planned_beside_them() -> None:
    planner = planner_with("a").observe("a").observe_if(["a"], [1])
    planner.observe("b", session="s", first_sequence=1).observe_if(["b"], [3])
    assert [told(outcome) for outcome in planner.settled()] == [
        CommitResult(2, 2, 1),
        (CONDITION_FAILED, "expected_generations[0]", "1", "2"),
        CommitResult(3, 3, 1),
        CommitResult(4, 4, 1),
    ]


def test_that_a_condition_does_not_hold_is_told_only_if_what_it_depends_on_is_stored() -> None:
    codes = [
        outcome.code
        for planner in (
            planner_with("a").observe_if(["a"], [0]),
            planner_with("a").observe("b").observe_if(["a"], [0]),
            planner_with("a").delete("a").observe_if(["a"], [1]),
            planner_with("a").observe_if(["a"], [1]),
        )
        for outcome in planner.settled(FULL)
        if isinstance(outcome, EngramError)
    ]
    assert codes == [CONDITION_FAILED, *["disk_full"] * 5]

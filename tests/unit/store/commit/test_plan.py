"""A commit's plan: generations, sequence rules, merged records, and who is told what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engram.errors import EngramError, FailedPrecondition, SequenceError, Unavailable
from engram.log.records.header import RecordKind
from engram.store.commit.live_versions import LiveVersions
from engram.store.commit.plan import CommitPlan
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.store.commit.session_table import SequenceRange, SessionTable
from engram.store.expiry.due_versions import DueVersions
from engram.store.filters.metadata_index import MetadataIndex
from tests.doubles.batches import batch_of, vector_of
from tests.doubles.waiting import Outcomes

NO_SPACE: Any = None


class Planner:
    """Adds requests to a plan and keeps their outcomes."""

    def __init__(self, last_generation: int = 0) -> None:
        self.versions = LiveVersions()
        self.sessions = SessionTable()
        self.last_generation = last_generation
        self.requests: list[CommitRequest] = []
        self.outcomes: list[Outcomes] = []
        self.due: DueVersions | None = None

    def observe(self, *ids: str, session: str = "", first_sequence: int = 0, writer: int = 0) -> Planner:
        return self._add(batch=batch_of(ids), session=session, first_sequence=first_sequence, writer=writer)

    def observe_if(self, ids: Sequence[str], expected_generations: Sequence[int]) -> Planner:
        return self._add(batch=batch_of(ids), expected_generations=expected_generations)

    def observe_until(self, ids: Sequence[str], expires_us: Sequence[int]) -> Planner:
        return self._add(batch=replace(batch_of(ids), expires_us=np.array(expires_us, np.int64)))

    def delete(self, *ids: str) -> Planner:
        return self._add(delete_ids=ids)

    def plan(self) -> CommitPlan:
        plan = CommitPlan(self.versions, self.sessions, self.last_generation, self.due)
        for request in self.requests:
            plan.add(request)
        return plan

    def settled(self, failure: EngramError | None = None) -> list[CommitResult | EngramError]:
        plan = self.plan()
        plan.settle(self.requests, failure)
        return [outcomes.next() for outcomes in self.outcomes]

    def _add(self, **fields: Any) -> Planner:
        self.outcomes.append(Outcomes())
        self.requests.append(CommitRequest(space=NO_SPACE, done=self.outcomes[-1], **fields))
        return self


def shapes(plan: CommitPlan) -> list[tuple[RecordKind, int, int, str, int]]:
    return [(e.kind, e.first_generation, e.count, e.session, e.first_sequence) for e in plan.entries()]


def ids(count: int, name: str = "id") -> list[str]:
    return [f"{name}-{row}" for row in range(count)]


def test_generations_follow_the_order_of_requests() -> None:
    planner = Planner(last_generation=10).observe("a", "b").observe(*ids(100)).delete("a", "x").observe("c")
    assert planner.settled() == [
        CommitResult(11, 12, 2),
        CommitResult(13, 112, 100),
        CommitResult(113, 113, 1, existed=1, as_of=113),
        CommitResult(114, 114, 1),
    ]
    assert shapes(planner.plan()) == [
        (RecordKind.OBSERVE, 11, 2, "", 0),
        (RecordKind.OBSERVE, 13, 100, "", 0),
        (RecordKind.DELETE, 113, 1, "", 0),
        (RecordKind.OBSERVE, 114, 1, "", 0),
    ]
    assert planner.plan().last_generation == 114


def test_small_batches_share_a_record_in_order() -> None:
    planner = Planner()
    for number in range(50):
        planner.observe(f"id-{number}", session="s", first_sequence=number + 1)
    plan = planner.plan()
    assert shapes(plan) == [(RecordKind.OBSERVE, 1, 50, "s", 1)]
    (entry,) = plan.entries()
    assert entry.batch is not None
    assert list(entry.batch.ids) == ids(50)
    np.testing.assert_array_equal(entry.batch.vectors[7], vector_of("id-7"))


def test_a_record_belongs_to_one_session_and_stays_bounded() -> None:
    planner = Planner().observe("a", session="s", first_sequence=1).observe("b", session="t", first_sequence=1)
    planner.observe("c", session="t", first_sequence=2)
    for number in range(40):
        planner.observe(*ids(60, f"n{number}"))
    found = shapes(planner.plan())
    assert found[:2] == [(RecordKind.OBSERVE, 1, 1, "s", 1), (RecordKind.OBSERVE, 2, 2, "t", 1)]
    assert [count for _, _, count, _, _ in found[2:]] == [1020, 1020, 360]


def test_large_batches_are_not_copied() -> None:
    planner = Planner().observe(*ids(64))
    (entry,) = planner.plan().entries()
    assert entry.batch is planner.requests[0].batch


def test_a_gap_is_refused_and_does_not_stop_others() -> None:
    planner = Planner()
    planner.sessions.store("s", SequenceRange(1, 4, 1))
    planner.observe("a", session="s", first_sequence=6).observe("b", session="s", first_sequence=5)
    refused, stored = planner.settled()
    assert isinstance(refused, SequenceError)
    assert refused.expected_sequence == 5
    assert stored == CommitResult(1, 1, 1)


def test_sequence_numbers_start_at_one() -> None:
    (refused,) = Planner().observe("a", "b", session="s", first_sequence=0).settled()
    assert isinstance(refused, SequenceError)
    assert refused.expected_sequence == 1


def test_a_repeated_request_is_answered_as_before_and_not_stored() -> None:
    planner = Planner(last_generation=50)
    planner.sessions.store("s", SequenceRange(1, 10, 31))
    planner.observe(*ids(3), session="s", first_sequence=4)
    assert planner.settled() == [CommitResult(34, 36, 0, duplicate=True)]
    assert planner.plan().entries() == []
    assert planner.plan().duplicates == 3


def test_a_repetition_within_the_group() -> None:
    planner = Planner()
    planner.observe(*ids(3), session="s", first_sequence=1).observe(*ids(3), session="s", first_sequence=1)
    assert planner.settled() == [CommitResult(1, 3, 3), CommitResult(1, 3, 0, duplicate=True)]
    assert shapes(planner.plan()) == [(RecordKind.OBSERVE, 1, 3, "s", 1)]


def test_of_a_half_known_batch_the_new_half_is_stored() -> None:
    planner = Planner(last_generation=4)
    planner.sessions.store("s", SequenceRange(1, 4, 1))
    planner.observe(*ids(6), session="s", first_sequence=3)
    assert planner.settled() == [CommitResult(3, 8, 4)]
    (entry,) = planner.plan().entries()
    assert (entry.first_generation, entry.first_sequence) == (5, 5)
    assert entry.batch is not None
    assert list(entry.batch.ids) == ids(6)[2:]
    assert entry.batch.tags == [[f"tag id-{row}", "ß"] for row in range(2, 6)]
    assert planner.plan().stored_sequences == [("s", SequenceRange(5, 4, 5), 0)]


def test_a_record_belongs_to_one_writer() -> None:
    planner = Planner()
    for first, writer in ((1, 7), (3, 7), (5, 8)):
        planner.observe("a", "b", session="s", first_sequence=first, writer=writer)
    plan = planner.plan()
    assert [(e.first_sequence, e.count, e.writer) for e in plan.entries()] == [(1, 4, 7), (5, 2, 8)]
    assert [writer for _, _, writer in plan.stored_sequences] == [7, 7, 8]


def test_that_there_is_nothing_to_delete_holds_only_if_the_delete_before_it_does() -> None:
    failure = Unavailable("the disk is full")
    planner = Planner()
    stored = planner.versions.change()
    stored.observe(["a"], [1])
    planner.versions.apply(stored)
    planner.last_generation = 1
    planner.delete("a").delete("a")
    assert [type(outcome) for outcome in planner.settled(failure)] == [Unavailable, Unavailable]
    # Alone it depends on nothing that this commit does.
    lonely = Planner().delete("a")
    assert lonely.settled(failure) == [CommitResult(0, 0, 0)]


def test_deletes_see_what_the_group_did_before_them() -> None:
    planner = Planner().observe("a", "b").delete("a", "a", "nothing").delete("a").observe("a").delete("b", "a")
    assert [outcome.existed for outcome in planner.settled() if isinstance(outcome, CommitResult)] == [0, 1, 0, 0, 2]
    assert planner.plan().deleted == 3


def test_a_deletion_says_as_of_when_none_of_its_ids_exists() -> None:
    planner = Planner(last_generation=10).observe("a").delete("nothing").delete("a").delete("a").observe("nothing")
    outcomes = [outcome for outcome in planner.settled() if isinstance(outcome, CommitResult)]
    assert [outcome.as_of for outcome in outcomes] == [0, 10, 12, 12, 0]


def test_a_failure_reaches_all_whose_requests_it_concerns() -> None:
    planner = Planner(last_generation=10)
    planner.sessions.store("s", SequenceRange(1, 5, 1))
    planner.sessions.store("t", SequenceRange(1, 5, 6))
    planner.observe("new").observe("repeated", session="s", first_sequence=2)
    planner.observe("x", session="t", first_sequence=6).observe("x", session="t", first_sequence=6)
    planner.observe("gap", session="t", first_sequence=20).observe("gap", session="s", first_sequence=20)
    planner.delete("nothing")
    outcomes = planner.settled(Unavailable("full", code="disk_full"))
    codes = [outcome.code if isinstance(outcome, EngramError) else outcome for outcome in outcomes]
    assert codes == [
        "disk_full",
        CommitResult(2, 2, 0, duplicate=True),
        "disk_full",
        # True only if the commit had succeeded.
        "disk_full",
        "disk_full",
        "sequence_gap",
        CommitResult(0, 0, 0, as_of=10),
    ]
    errors = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
    assert len({id(error) for error in errors}) == len(errors)


def test_a_raising_receiver_does_not_keep_others_waiting(caplog: pytest.LogCaptureFixture) -> None:
    planner = Planner().observe("a").observe("b")

    def raises(_: object) -> None:
        raise RuntimeError("the receiver is gone")

    planner.requests[0].done = raises
    plan = planner.plan()
    plan.settle(planner.requests, None)
    assert planner.outcomes[1].result() == CommitResult(2, 2, 1)
    assert "the receiver is gone" in caplog.text


def test_what_is_due_is_not_alive_any_more_for_whoever_writes() -> None:
    stored = Planner().observe("a", "b", "c")
    stored.versions.apply(stored.plan().changes)
    asked: list[list[int]] = []

    class Attributes:
        def without_due(self, generations: Sequence[int], now_us: int) -> list[int]:
            asked.append(list(generations))
            return [0 if generation in {1, 3} else generation for generation in generations]

    attributes: Any = Attributes()
    planner = Planner(last_generation=3).observe_if(["a"], [0]).observe_if(["b"], [0]).delete("c", "b", "x")
    planner.versions, planner.due = stored.versions, DueVersions(attributes, 10)
    first, refused, deleted = planner.settled()
    assert (first, deleted) == (CommitResult(4, 4, 1), CommitResult(5, 6, 2, existed=1, as_of=6))
    assert isinstance(refused, FailedPrecondition)
    assert (refused.code, refused.value) == ("condition_failed", "2")
    # Once for each request, however many ids it has.
    assert asked == [[1], [2], [3, 2]]


def test_what_is_due_as_soon_as_it_is_stored_is_not_alive_for_what_is_committed_with_it() -> None:
    """Whether it is committed before, or together, depends on who else writes."""
    planner = Planner().observe_until(["a", "b"], [10, 11]).observe_if(["a"], [0]).observe_if(["b"], [0])
    planner.due = DueVersions(MetadataIndex(), 10)
    both, first, refused = planner.settled()
    assert (both, first) == (CommitResult(1, 2, 2), CommitResult(3, 3, 1))
    assert isinstance(refused, FailedPrecondition)
    assert (refused.code, refused.value) == ("condition_failed", "2")
    planner = Planner().observe_until(["a", "b"], [10, 11]).delete("a", "b")
    planner.due = DueVersions(MetadataIndex(), 10)
    assert planner.settled()[1] == CommitResult(3, 4, 2, existed=1, as_of=4)

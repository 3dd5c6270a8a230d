"""Whatever is put and taken, lanes keep their bounds, lose nothing, never reorder a session, and starve nobody."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engram.errors import OverCapacity
from engram.model.priority import Priority
from engram.store.commit.queue import CommitRequest
from engram.streaming.lanes.lane import LaneLimits
from engram.streaming.lanes.lanes import Lanes
from tests.doubles.batches import batch_of
from tests.doubles.fake_space import FakeSpace

SPACES: Any = [FakeSpace(name) for name in ("red", "green", "blue")]
COUNT_MAX = 12
REQUEST_MAX = 4
TAKE_MAX = 5
TAKES_MAX = 4


def request(number: int, priority: Priority, session: str, count: int, space: Any = SPACES[0]) -> CommitRequest:
    return CommitRequest(
        space=space,
        batch=batch_of([f"{number}-{row}" for row in range(count)]),
        delete_ids=None,
        session=session,
        first_sequence=number if session else 0,
        done=lambda _: None,
        priority=priority,
    )


def number_of(item: CommitRequest) -> int:
    assert item.batch is not None
    return int(item.batch.ids[0].partition("-")[0])


class LanesMachine(RuleBasedStateMachine):
    """The lanes beside plain lists of what was admitted and taken."""

    def __init__(self) -> None:
        super().__init__()
        limits = dict.fromkeys(Priority, LaneLimits(COUNT_MAX, 10**9))
        self.lanes = Lanes(limits, take_count_max=TAKE_MAX, takes_max=TAKES_MAX)
        self.waiting: Counter[Priority] = Counter()
        self.admitted: list[CommitRequest] = []
        self.taken: list[CommitRequest] = []
        self.refused: Counter[Priority] = Counter()
        self.number = 0

    @rule(
        priority=st.sampled_from(list(Priority)),
        session=st.sampled_from(["", "a", "b"]),
        count=st.integers(1, REQUEST_MAX),
        space=st.sampled_from(SPACES),
    )
    def put(self, priority: Priority, session: str, count: int, space: Any) -> None:
        self.number += 1
        item = request(self.number, priority, session, count, space)
        shares, name = self.lanes.shares, space.config.name
        shares.claim(name, priority)
        if shares.excess(name, priority, self.lanes.fill(priority)) is not None:
            # Only who has more than an equal share of a lane that is half full makes room for others.
            held = sum(i.count for i in self.left() if i.space is space and i.priority is priority)
            assert held > COUNT_MAX / len(SPACES)
            assert self.waiting[priority] >= COUNT_MAX / 2
            return
        try:
            self.lanes.put(item)
        except OverCapacity:
            self.refused[priority] += 1
            assert self.waiting[priority] + count > COUNT_MAX
        else:
            shares.count_admitted(name, priority, item.count, item.nbytes)
            assert self.waiting[priority] + count <= COUNT_MAX
            self.admitted.append(item)
            self.waiting[priority] += count

    @rule()
    def take(self) -> None:
        batch = self.lanes.take(0)
        assert bool(batch) == bool(self.left())
        # Beyond its bound a take holds at most one overdue request per lane, or one that is large by itself.
        assert sum(item.count for item in batch) <= TAKE_MAX + 2 * REQUEST_MAX
        self.taken.extend(batch)
        for item in batch:
            self.waiting[item.priority] -= item.count

    @invariant()
    def statistics_tell_what_waits(self) -> None:
        for lane in self.lanes.statistics().lanes:
            assert lane.depth == self.waiting[lane.priority] <= COUNT_MAX
            assert lane.admitted_total == sum(item.priority is lane.priority for item in self.admitted)
            assert lane.refused_total == self.refused[lane.priority]

    @invariant()
    def the_ledger_of_shares_knows_who_waits(self) -> None:
        assert self.lanes.shares.waiting() == {item.space.config.name for item in self.left()}
        for space, priority in itertools.product(SPACES, Priority):
            held = sum(i.count for i in self.left() if i.space is space and i.priority is priority)
            used = self.lanes.shares.used(space.config.name, priority)
            assert held / COUNT_MAX <= used <= len(SPACES) * held / COUNT_MAX

    @invariant()
    def lanes_and_sessions_are_in_order(self) -> None:
        queues: dict[Any, list[int]] = defaultdict(list)
        for item in self.taken:
            # In a session whatever its lane; outside of one within its space and lane.
            queues[item.space, item.session or item.priority].append(number_of(item))
        assert all(numbers == sorted(numbers) for numbers in queues.values())

    def teardown(self) -> None:
        while self.left():
            self.take()
        self.lanes_and_sessions_are_in_order()
        assert sorted(map(number_of, self.taken)) == list(map(number_of, self.admitted))
        assert self.lanes.depth == 0
        assert self.lanes.statistics().pressure == 0.0

    def left(self) -> list[CommitRequest]:
        taken = set(map(id, self.taken))
        return [item for item in self.admitted if id(item) not in taken]


TestLanes = LanesMachine.TestCase
TestLanes.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(Priority)), min_size=1, max_size=60))
def test_no_lane_waits_longer_than_the_bound(flood: list[Priority]) -> None:
    """With requests that belong to no session, a lane that waits is served within TAKES_MAX takes."""
    lanes = Lanes(dict.fromkeys(Priority, LaneLimits(1000, 10**9)), take_count_max=1, takes_max=TAKES_MAX)
    number = 0
    passed_over: dict[Priority, int] = defaultdict(int)
    for priority in flood:
        for added in (priority, Priority.HIGH):
            number += 1
            lanes.put(request(number, added, "", 1))
        before = {s.priority for s in lanes.statistics().lanes if s.depth}
        served = {item.priority for item in lanes.take(0)}
        for lane in before:
            passed_over[lane] = 0 if lane in served else passed_over[lane] + 1
            assert passed_over[lane] < TAKES_MAX


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SPACES), st.integers(1, REQUEST_MAX)), max_size=80))
def test_spaces_that_wait_are_served_alike(puts: list[tuple[Any, int]]) -> None:
    """While two spaces wait from the same moment on, neither gets ahead by more than one request."""
    lanes = Lanes(dict.fromkeys(Priority, LaneLimits(1000, 10**9)), take_count_max=1)
    left: Counter[Any] = Counter()
    for number, (space, count) in enumerate(puts, 1):
        lanes.put(request(number, Priority.NORMAL, "", count, space))
        left[space] += count
    served: Counter[Any] = Counter()
    while batch := lanes.take(0):
        for item in batch:
            served[item.space] += item.count
            left[item.space] -= item.count
        waiting = [served[space] for space in left if left[space]]
        assert not waiting or max(served.values()) - min(waiting) <= REQUEST_MAX

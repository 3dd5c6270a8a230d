"""Whatever is put and taken, lanes keep their bounds, lose nothing, and never reorder a session."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from doubles.batches import batch_of
from doubles.fake_space import FakeSpace
from engram.errors import OverCapacity
from engram.store.intake import CommitRequest, Priority
from engram.streaming.lane import LaneLimits
from engram.streaming.lanes import Lanes

SPACE: Any = FakeSpace()
COUNT_MAX = 12
TAKE_MAX = 5
TAKES_MAX = 4

puts = st.tuples(st.sampled_from(list(Priority)), st.sampled_from(["", "a", "b"]), st.integers(1, 4))
operations = st.lists(st.one_of(puts, st.just("take")), max_size=80)


def request(number: int, priority: Priority, session: str, count: int) -> CommitRequest:
    return CommitRequest(
        space=SPACE,
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


@given(operations)
def test_lanes_keep_bounds_and_order(steps: list[Any]) -> None:
    lanes = Lanes(dict.fromkeys(Priority, LaneLimits(COUNT_MAX, 10**9)), take_count_max=TAKE_MAX, takes_max=TAKES_MAX)
    waiting: dict[Priority, int] = defaultdict(int)
    admitted: list[CommitRequest] = []
    taken: list[CommitRequest] = []

    def take() -> list[CommitRequest]:
        batch = lanes.take(0)
        taken.extend(batch)
        for item in batch:
            waiting[item.priority] -= item.count
        return batch

    for number, step in enumerate(steps, 1):
        if step == "take":
            batch = take()
            assert bool(batch) == (len(admitted) > len(taken) - len(batch))
            # Beyond its bound a take holds at most one overdue request per lane, or one that is large by itself.
            assert sum(item.count for item in batch) <= TAKE_MAX + 2 * 4
            continue
        item = request(number, *step)
        fits = waiting[item.priority] + item.count <= COUNT_MAX
        try:
            lanes.put(item)
        except OverCapacity:
            assert not fits
        else:
            assert fits
            admitted.append(item)
            waiting[item.priority] += item.count
        assert {s.priority: s.depth for s in lanes.statistics().lanes} == {p: waiting[p] for p in Priority}
    while take():
        pass
    assert sorted(map(number_of, taken)) == list(map(number_of, admitted))
    for session in ("a", "b"):
        numbers = [number_of(item) for item in taken if item.session == session]
        assert numbers == sorted(numbers)
    for priority in Priority:
        numbers = [number_of(item) for item in taken if item.priority is priority and not item.session]
        assert numbers == sorted(numbers)
    assert lanes.depth == 0
    assert lanes.statistics().pressure == 0.0


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

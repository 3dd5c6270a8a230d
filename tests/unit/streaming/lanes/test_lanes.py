"""Lanes: bounded, first in first out, atomic, and fair enough."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

from engram.errors import OverCapacity, Unavailable
from engram.model.priority import Priority
from engram.store.commit.queue import CommitRequest
from engram.streaming.lanes.lane import LaneLimits
from engram.streaming.lanes.lanes import Lanes
from tests.doubles.batches import batch_of
from tests.doubles.fake_space import FakeSpace, ManualClock
from tests.doubles.switching import frequent_switches

SPACE: Any = FakeSpace()
MIB = 1024 * 1024


def request(
    name: str,
    count: int = 1,
    priority: Priority = Priority.NORMAL,
    session: str = "",
    first_sequence: int = 0,
    space: Any = SPACE,
) -> CommitRequest:
    return CommitRequest(
        space=space,
        batch=batch_of([f"{name}-{i}" for i in range(count)]),
        delete_ids=None,
        session=session,
        first_sequence=first_sequence,
        done=lambda _: None,
        priority=priority,
    )


def limits(count_max: int = 100, bytes_max: int = MIB) -> dict[Priority, LaneLimits]:
    return dict.fromkeys(Priority, LaneLimits(count_max, bytes_max))


def names(taken: list[CommitRequest]) -> list[str]:
    found = []
    for item in taken:
        assert item.batch is not None
        found.append(item.batch.ids[0].rpartition("-")[0])
    return found


def test_one_lane_is_first_in_first_out() -> None:
    lanes = Lanes(limits())
    for name in "abc":
        lanes.put(request(name))
    assert names(lanes.take(0)) == ["a", "b", "c"]


def test_high_goes_before_normal_before_low() -> None:
    lanes = Lanes(limits())
    lanes.put(request("low", priority=Priority.LOW))
    lanes.put(request("normal"))
    lanes.put(request("high", priority=Priority.HIGH))
    assert names(lanes.take(0)) == ["high", "normal", "low"]


def test_an_empty_take_times_out() -> None:
    assert Lanes(limits()).take(0) == []


def test_a_full_lane_refuses_whole_requests_and_names_the_limit() -> None:
    lanes = Lanes(limits(count_max=10))
    lanes.put(request("a", 8))
    with pytest.raises(OverCapacity) as caught:
        lanes.put(request("b", 3))
    error = caught.value
    assert (error.code, error.field, error.limit, error.value) == ("lane_full", "normal_lane_observations", "10", "11")
    assert error.retry_after_ms is not None
    assert error.retry_after_ms > 0
    assert lanes.depth == 8
    lanes.put(request("c", 2))
    assert names(lanes.take(0)) == ["a", "c"]
    assert lanes.depth == 0


def test_a_full_lane_leaves_the_others_open() -> None:
    lanes = Lanes(limits(count_max=1))
    for priority in Priority:
        lanes.put(request(priority.name, priority=priority))
    for priority in Priority:
        with pytest.raises(OverCapacity):
            lanes.put(request("more", priority=priority))


def test_bytes_are_bounded_too() -> None:
    size = request("a", 4).nbytes
    lanes = Lanes(limits(count_max=1000, bytes_max=2 * size))
    lanes.put(request("a", 4))
    lanes.put(request("b", 4))
    with pytest.raises(OverCapacity) as caught:
        lanes.put(request("c", 1))
    assert caught.value.field == "normal_lane_bytes"
    lanes.take(0)
    lanes.put(request("d", 4))


def test_what_can_never_fit_has_no_retry_time() -> None:
    lanes = Lanes(limits(count_max=3))
    with pytest.raises(OverCapacity) as caught:
        lanes.put(request("a", 4))
    assert caught.value.retry_after_ms is None


def test_the_retry_time_follows_the_measured_drain_rate() -> None:
    clock = ManualClock()
    lanes = Lanes(limits(count_max=100), take_count_max=10, clock=clock)
    for i in range(10):
        lanes.put(request(f"r{i}", 10))
    lanes.take(0)
    clock.advance(0.1)  # Ten observations in 100 ms.
    lanes.take(0)
    with pytest.raises(OverCapacity) as caught:
        lanes.put(request("late", 50))
    assert caught.value.retry_after_ms == 300  # 80 wait; 30 have to go first.


def test_a_take_is_bounded_but_gives_at_least_one_request() -> None:
    lanes = Lanes(limits(), take_count_max=10)
    for name in "abc":
        lanes.put(request(name, 6))
    lanes.put(request("large", 50))
    assert names(lanes.take(0)) == ["a"]
    assert names(lanes.take(0)) == ["b"]
    assert names(lanes.take(0)) == ["c"]
    assert names(lanes.take(0)) == ["large"]


def test_a_take_is_bounded_in_bytes() -> None:
    size = request("a", 6).nbytes
    lanes = Lanes(limits(), take_bytes_max=2 * size)
    for name in "abc":
        lanes.put(request(name, 6))
    assert names(lanes.take(0)) == ["a", "b"]


@pytest.mark.parametrize("waiting", [Priority.NORMAL, Priority.LOW])
def test_a_waiting_lane_is_served_at_least_once_in_n_takes(waiting: Priority) -> None:
    lanes = Lanes(limits(count_max=1000), take_count_max=1, takes_max=4)
    lanes.put(request("waiting", priority=waiting))
    for i in range(10):
        lanes.put(request(f"high{i}", priority=Priority.HIGH))
    taken = [names(lanes.take(0)) for _ in range(4)]
    assert ["waiting"] not in taken[:3]
    assert "waiting" in taken[3]


def test_two_overdue_lanes_are_both_served() -> None:
    lanes = Lanes(limits(count_max=1000), take_count_max=1, takes_max=3)
    lanes.put(request("low", priority=Priority.LOW))
    lanes.put(request("normal"))
    for i in range(10):
        lanes.put(request(f"high{i}", priority=Priority.HIGH))
    taken = [name for _ in range(3) for name in names(lanes.take(0))]
    assert {"low", "normal"} <= set(taken)


def test_a_session_keeps_its_order_across_lanes() -> None:
    lanes = Lanes(limits())
    lanes.put(request("s1", priority=Priority.LOW, session="s", first_sequence=1))
    lanes.put(request("other"))
    lanes.put(request("s2", priority=Priority.HIGH, session="s", first_sequence=2))
    lanes.put(request("s3", priority=Priority.NORMAL, session="s", first_sequence=3))
    assert names(lanes.take(0)) == ["s1", "s2", "other", "s3"]
    assert lanes.depth == 0
    assert lanes.take(0) == []


def test_the_same_session_id_in_two_spaces_is_two_sessions() -> None:
    lanes = Lanes(limits())
    lanes.put(request("elsewhere", priority=Priority.LOW, session="s", first_sequence=1, space=FakeSpace("elsewhere")))
    lanes.put(request("here", priority=Priority.HIGH, session="s", first_sequence=1))
    assert names(lanes.take(0)) == ["here", "elsewhere"]


def test_closed_lanes_admit_nothing_and_give_the_rest() -> None:
    lanes = Lanes(limits())
    lanes.put(request("a"))
    lanes.close()
    with pytest.raises(Unavailable, match="closing"):
        lanes.put(request("b"))
    assert names(lanes.take(None)) == ["a"]
    assert lanes.take(None) == []


def test_a_waiting_take_is_woken_by_a_put() -> None:
    lanes = Lanes(limits())
    taken: list[str] = []
    taker = threading.Thread(target=lambda: taken.extend(names(lanes.take(30))))
    taker.start()
    lanes.put(request("a"))
    taker.join(60)
    assert taken == ["a"]


def test_statistics_show_fill_and_totals() -> None:
    lanes = Lanes(limits(count_max=10))
    lanes.put(request("a", 5))
    lanes.put(request("b", 2, Priority.HIGH))
    with pytest.raises(OverCapacity):
        lanes.put(request("c", 6))
    statistics = lanes.statistics()
    normal = next(lane for lane in statistics.lanes if lane.priority is Priority.NORMAL)
    assert (normal.depth, normal.capacity, normal.admitted_total, normal.refused_total) == (5, 10, 1, 1)
    assert normal.nbytes == request("a", 5).nbytes
    assert (statistics.depth, statistics.capacity, statistics.pressure) == (7, 30, 0.5)
    lanes.take(0)
    assert lanes.statistics().pressure == 0.0


def test_the_default_limits_are_those_of_the_architecture() -> None:
    capacities = {lane.priority: lane.capacity for lane in Lanes().statistics().lanes}
    assert capacities == {Priority.HIGH: 10_000, Priority.NORMAL: 100_000, Priority.LOW: 50_000}


def test_a_hot_space_does_not_delay_another() -> None:
    hot, small = FakeSpace("hot"), FakeSpace("small")
    lanes = Lanes(limits(count_max=1000), take_count_max=10)
    for i in range(50):
        lanes.put(request(f"hot{i}", 10, space=hot))
    lanes.take(0)
    lanes.put(request("small", 10, space=small))
    assert names(lanes.take(0)) + names(lanes.take(0)) == ["small", "hot1"]


def test_spaces_are_served_alike_in_observations_not_requests() -> None:
    lanes = Lanes(limits(count_max=1000), take_count_max=1)
    large, small = FakeSpace("large"), FakeSpace("small")
    for i in range(3):
        lanes.put(request(f"large{i}", 8, space=large))
    for i in range(24):
        lanes.put(request(f"small{i}", 1, space=small))
    taken = [name for _ in range(27) for name in names(lanes.take(0))]
    counts = {"large": 0, "small": 0}
    for name in taken:
        kind = name.rstrip("0123456789")
        counts[kind] += 8 if kind == "large" else 1
        assert counts["large"] - counts["small"] <= 8
        assert counts["small"] - counts["large"] <= 1 or counts["large"] == 24


def test_a_space_that_waited_for_nothing_has_no_claim_to_the_past() -> None:
    old, new = FakeSpace("old"), FakeSpace("new")
    lanes = Lanes(limits(count_max=1000), take_count_max=1)
    for i in range(20):
        lanes.put(request(f"old{i}", space=old))
    for _ in range(10):
        lanes.take(0)
    for i in range(20):
        lanes.put(request(f"new{i}", space=new))
    taken = [name.rstrip("0123456789") for _ in range(10) for name in names(lanes.take(0))]
    assert taken.count("old") == taken.count("new") == 5


@pytest.mark.parametrize("what", ["observations", "bytes"])
@frequent_switches()
def test_capacity_is_never_exceeded_by_eight_producers(what: str) -> None:
    """More is offered than fits, all the time, while the fill is watched and taken away."""
    one = request("x", 3, Priority.LOW)
    bounds = LaneLimits(100, MIB) if what == "observations" else LaneLimits(10**6, 33 * one.nbytes)
    lanes = Lanes(dict.fromkeys(Priority, bounds), take_count_max=30)
    admitted: list[int] = [0] * 8
    offered = 1500
    taken: list[CommitRequest] = []

    def produce(thread: int) -> None:
        for _ in range(offered):
            try:
                lanes.put(one)
                admitted[thread] += 1
            except OverCapacity as error:
                assert error.field == f"low_lane_{what}"  # noqa: PT017 - not every put is refused.

    def watch() -> None:
        while any(thread.is_alive() for thread in producers):
            low = lanes.statistics().lanes[-1]
            assert 0 <= low.depth <= bounds.count_max
            assert 0 <= low.nbytes <= bounds.bytes_max
            seen.append(low.depth)
            batch = lanes.take(0)
            held.append(sum(item.count for item in batch))
            taken.extend(batch)

    seen: list[int] = []
    held: list[int] = []
    producers = [threading.Thread(target=produce, args=(thread,)) for thread in range(8)]
    for thread in producers:
        thread.start()
    watch()
    for thread in producers:
        thread.join()
    while batch := lanes.take(0):
        taken.extend(batch)
    statistics = lanes.statistics().lanes[-1]
    assert sum(admitted) == len(taken) == statistics.admitted_total
    assert statistics.refused_total == 8 * offered - sum(admitted)
    # Full it was, or nothing has been tested.
    assert max(seen) >= 97
    assert statistics.refused_total > 0


def test_what_was_taken_counts_until_it_is_stored() -> None:
    lanes = Lanes(limits())
    one, other = request("a", count=3), request("b")
    lanes.put(one)
    lanes.put(other)
    assert lanes.taken_bytes == 0
    assert lanes.take(0) == [one, other]
    assert lanes.taken_bytes == one.nbytes + other.nbytes
    # The committer takes more when it has stored these.
    assert not lanes.take(0)
    assert lanes.taken_bytes == 0


def test_what_was_taken_is_not_kept_in_memory() -> None:
    class Waiter:
        def __call__(self, _: object) -> None:
            pass

    lanes = Lanes(limits())
    asked = request("a")
    asked.done = Waiter()
    waiter = weakref.ref(asked.done)
    lanes.put(asked)
    lanes.take(0)
    del asked
    gc.collect()
    assert waiter() is None


def test_a_space_pays_for_all_that_its_session_has_served_at_once() -> None:
    """Earlier requests of a session are served with a later one, and none of them at the cost of another space."""
    lanes = Lanes(limits(10_000))
    busy, quiet = FakeSpace("busy"), FakeSpace("quiet")
    lanes.put(request("busy low", 1, priority=Priority.LOW, session="s", space=busy))
    lanes.put(request("busy high", 1000, priority=Priority.HIGH, session="s", space=busy))
    lanes.put(request("busy more", 1, priority=Priority.HIGH, space=busy))
    for number in range(3):
        lanes.put(request(f"quiet {number}", 1, priority=Priority.HIGH, space=quiet))
    assert names(lanes.take(0)) == ["busy low", "busy high", "quiet 0", "quiet 1", "quiet 2", "busy more"]

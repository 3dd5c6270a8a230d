"""Admission: who gets in at which level, who is told, and what refusals say."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engram.errors import OverCapacity
from engram.log.files.file_storage import FileStorage
from engram.model.priority import Priority
from engram.streaming.lanes.fair_share import FairShares
from engram.streaming.lanes.lane import LaneLimits, LanesStatistics, LaneStatistics
from engram.streaming.pressure.gauges import DiskGauge, MemoryGauge, Reading
from engram.streaming.pressure.levels import Level, Thresholds
from engram.streaming.pressure.load_shedding import LoadShedder
from engram.streaming.pressure.receiving import UNCOUNTED_BYTES, Arriving, ReceiveBudget
from engram.streaming.sessions.outbox import StreamState
from engram.streaming.sessions.paused_backlog import BacklogBudget
from tests.doubles.fake_space import FakeSpace, ManualClock


@dataclass
class FakeLanes:
    """Lanes of a hundred observations and a thousand bytes, drained at a thousand observations a second."""

    depths: dict[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0))
    bytes_each: int = 0
    taken_bytes: int = 0
    shares: FairShares = field(
        default_factory=lambda: FairShares(dict.fromkeys(Priority, LaneLimits(100, 1000)), ManualClock())
    )

    def fill(self, priority: Priority) -> float:
        return next(lane.fill for lane in self.statistics().lanes if lane.priority is priority)

    def statistics(self) -> LanesStatistics:
        return LanesStatistics(
            tuple(LaneStatistics(p, n, 100, n * self.bytes_each, 1000, 0, 0) for p, n in self.depths.items())
        )

    def time_to_drain_ms(self, count: int) -> int:
        return count


@dataclass
class FakeGauge:
    fill: float = 0.0

    def read(self) -> Reading:
        return Reading("memory_bytes", int(self.fill * 1000), 1000, self.fill, lambda _: 10_000)


class World:
    """An admission whose event loop turns when told."""

    def __init__(self) -> None:
        self.lanes = FakeLanes()
        self.gauge = FakeGauge()
        self.spaces: dict[str, Any] = {name: FakeSpace(name) for name in ("one", "two")}
        self.told: list[tuple[str, StreamState]] = []
        self.soon: list[Callable[[], None]] = []
        mailbox: Any = self
        self.admission = LoadShedder(
            lanes=self.lanes,
            ticked=[self.gauge],
            thresholds=Thresholds(),
            mailbox=mailbox,
            soon=self.soon.append,
            tell=lambda space, state, _: self.told.append((space, state)),
        )
        for space in self.spaces.values():
            self.admission.look_soon(space)
        self.turn()

    def post(self, receive: Callable[[Any], None], item: Any) -> None:
        """What `Mailbox` does, at once."""
        receive(item)

    def turn(self) -> None:
        soon = list(self.soon)
        self.soon.clear()
        for call in soon:
            call()

    def fill_tail(self, name: str, count: int) -> None:
        self.spaces[name].tail.count = count
        self.admission.look_soon(self.spaces[name])
        self.turn()

    def fill_lane(self, name: str, priority: Priority, count: int) -> None:
        """Have so much of a space wait, besides what waits already."""
        self.lanes.depths[priority] += count
        request: Any = SimpleNamespace(priority=priority, count=count, nbytes=count * self.lanes.bytes_each)
        self.admission.entered(self.spaces[name], request)
        self.turn()

    def admitted(self, name: str) -> list[Priority]:
        return [priority for priority in Priority if self.refusal(name, priority) is None]

    def refusal(self, name: str, priority: Priority) -> OverCapacity | None:
        try:
            self.admission.check(self.spaces[name], priority)
        except OverCapacity as error:
            return error
        return None


@pytest.mark.parametrize(
    ("count", "admitted"),
    [
        (79, [Priority.HIGH, Priority.NORMAL, Priority.LOW]),
        (80, [Priority.HIGH, Priority.NORMAL]),
        (94, [Priority.HIGH, Priority.NORMAL]),
        (95, [Priority.HIGH]),
        (100, [Priority.HIGH]),
    ],
)
def test_each_priority_is_refused_from_its_level_on(count: int, admitted: list[Priority]) -> None:
    world = World()
    world.fill_tail("one", count)
    assert world.admitted("one") == admitted
    assert world.admitted("two") == list(Priority), "another space's tail is no reason"


def test_a_refusal_names_limit_value_and_when_to_come_back() -> None:
    world = World()
    world.fill_tail("one", 97)
    refusal = world.refusal("one", Priority.NORMAL)
    assert refusal is not None
    assert (refusal.code, refusal.field) == ("overloaded", "tail_observations")
    assert (refusal.limit, refusal.value) == ("100", "97")
    # At a thousand a second, seven milliseconds until only 90 are left: then Normal is admitted again.
    assert refusal.retry_after_ms == 7
    refusal = world.refusal("one", Priority.LOW)
    assert refusal is not None
    assert refusal.retry_after_ms == 27


def test_a_refusal_does_not_outlive_its_reason() -> None:
    world = World()
    world.fill_tail("one", 97)
    world.spaces["one"].tail.count = 0  # Nobody says so.
    assert world.refusal("one", Priority.NORMAL) is None


def test_streams_of_the_space_are_told_once_for_each_change() -> None:
    world = World()
    for count in (60, 79, 81, 85, 75, 96, 93, 89, 71, 69, 10):
        world.fill_tail("one", count)
    assert world.told == [
        ("one", StreamState.BACKPRESSURE),
        ("one", StreamState.OVERLOADED),
        ("one", StreamState.BACKPRESSURE),
        ("one", StreamState.ACTIVE),
    ]


def test_each_rise_of_the_pressure_on_a_space_counts_once() -> None:
    world = World()

    def counted() -> dict[str, float]:
        return {sample.labels["level"]: sample.value for sample in world.admission.samples()}

    assert counted() == {"warning": 0, "critical": 0, "overloaded": 0}
    for count in (55, 56, 85, 86, 60, 0):
        world.fill_tail("one", count)
    assert counted() == {"warning": 1, "critical": 1, "overloaded": 0}
    world.fill_tail("one", 99)
    world.fill_tail("two", 99)
    assert counted() == {"warning": 1, "critical": 1, "overloaded": 2}
    world.gauge.fill = 0.97
    world.admission.tick()
    assert counted() == {"warning": 1, "critical": 1, "overloaded": 2}, "both spaces were overloaded before"


def test_a_full_lane_concerns_who_fills_it() -> None:
    world = World()
    world.fill_lane("one", Priority.LOW, 82)
    assert world.told == [("one", StreamState.BACKPRESSURE)]
    assert world.admission.load(world.spaces["one"]).level is Level.CRITICAL
    assert world.admission.load(None).level is Level.CRITICAL
    assert world.admission.load(world.spaces["two"]).level is Level.NORMAL
    assert world.admitted("one") == [Priority.HIGH, Priority.NORMAL]
    assert world.admitted("two") == list(Priority)


def test_who_uses_up_its_share_of_a_full_lane_is_told_too() -> None:
    world = World()
    world.fill_lane("one", Priority.NORMAL, 49)
    world.fill_lane("two", Priority.NORMAL, 47)
    assert sorted(world.told) == [("one", StreamState.OVERLOADED), ("two", StreamState.BACKPRESSURE)]
    world.fill_lane("two", Priority.NORMAL, 1)
    assert world.told[-1] == ("two", StreamState.OVERLOADED)


def test_what_was_answered_makes_room_for_all_who_wait() -> None:
    world = World()
    world.fill_lane("one", Priority.NORMAL, 48)
    world.fill_lane("two", Priority.NORMAL, 48)
    world.told.clear()
    world.lanes.depths[Priority.NORMAL] = 48
    world.lanes.shares.count_served("one", Priority.NORMAL, 48, 0)
    world.admission.look_soon(world.spaces["one"])
    world.turn()
    assert sorted(world.told) == [("one", StreamState.ACTIVE), ("two", StreamState.ACTIVE)]


def test_bytes_of_a_lane_count_and_drain_with_their_observations() -> None:
    world = World()
    world.lanes.bytes_each = 20
    world.fill_lane("one", Priority.NORMAL, 48)
    refusal = world.refusal("one", Priority.NORMAL)
    assert refusal is not None
    assert (refusal.field, refusal.limit, refusal.value) == ("normal_lane_bytes", "1000", "960")
    assert refusal.retry_after_ms == 3


def test_many_changes_in_one_turn_are_one_look() -> None:
    world = World()
    for count in (10, 96, 20):
        world.spaces["one"].tail.count = count
        world.admission.look_soon(world.spaces["one"])
    assert len(world.soon) == 1
    world.turn()
    assert world.told == []


def test_linking_is_news_without_anybody_asking() -> None:
    world = World()
    world.fill_tail("one", 96)
    world.spaces["one"].tail.count = 5
    world.spaces["one"].index_up_to(91)
    world.turn()
    assert world.told[-1] == ("one", StreamState.ACTIVE)


def test_memory_is_looked_at_with_each_tick_and_refuses_even_high_when_it_is_full() -> None:
    world = World()
    world.gauge.fill = 0.96
    world.admission.tick()
    assert sorted(world.told) == [("one", StreamState.OVERLOADED), ("two", StreamState.OVERLOADED)]
    assert world.admitted("one") == [Priority.HIGH]
    world.gauge.fill = 1.0
    world.admission.tick()
    assert world.admitted("one") == []
    refusal = world.refusal("one", Priority.HIGH)
    assert refusal is not None
    assert (refusal.field, refusal.retry_after_ms) == ("memory_bytes", 10_000)


def test_the_load_is_that_of_the_fullest_thing() -> None:
    world = World()
    world.lanes.depths[Priority.NORMAL] = 30
    world.fill_tail("one", 60)
    load = world.admission.load(world.spaces["one"])
    assert (load.queue_depth, load.queue_capacity, load.pressure, load.level) == (30, 300, 0.6, Level.WARNING)
    assert world.admission.load(None).level is Level.NORMAL


@pytest.mark.parametrize(("with_logs", "value"), [(False, 318), (True, 398)])
def test_memory_is_one_budget(with_logs: bool, value: int) -> None:
    world = World()
    world.lanes.depths[Priority.HIGH], world.lanes.bytes_each = 10, 7
    # What is being stored counts as it came and as it is written, and what arrives also as it is decoded.
    world.lanes.taken_bytes = 4
    for space in world.spaces.values():
        space.index_bytes, space.log_bytes = 100, 40
    backlogs = BacklogBudget(1000)
    backlogs.take(30)
    receiving = ReceiveBudget(1000)
    Arriving(receiving).hold(UNCOUNTED_BYTES + 5)
    gauge = MemoryGauge(world.lanes, world.spaces.values, backlogs, receiving, 1000, with_logs=with_logs)
    reading = gauge.read()
    assert (reading.value, reading.limit, reading.fill) == (value, 1000, value / 1000)


def test_the_disk_is_full_when_only_the_reserve_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gauge = DiskGauge(tmp_path, 1000)
    assert 0 < gauge.read().fill < 1
    for free, fill in ((2000, 0.5), (1000, 1.0), (0, 1000.0)):
        monkeypatch.setattr(FileStorage, "unreserved_bytes", lambda _, free=free: free)
        reading = gauge.read()
        assert (reading.value, reading.fill) == (free, fill)
    gauge.close()


def test_a_disk_that_does_not_say_what_is_free_is_as_full_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    gauge = DiskGauge(data, 1000)

    def stale(descriptor: int) -> os.statvfs_result:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstatvfs", stale)
        assert gauge.read().fill == 0.5, "it never said anything"
        patch.setattr(os, "fstatvfs", lambda _: SimpleNamespace(f_bavail=3, f_frsize=512))
        assert gauge.read().value == 1536
        patch.setattr(os, "fstatvfs", stale)
        assert gauge.read().value == 1536
    data.rename(tmp_path / "moved")
    assert gauge.read().value > 1536, "the directory is still there, under another name"
    gauge.close()
    assert gauge.read().value > 1536

"""What pressure is measured on: the lanes, a space's tail, memory, and the disk."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Final, Protocol

from engram.store.commit.tail_budget import TailBudget
from engram.store.space import Space
from engram.streaming.lanes.lane import LanesStatistics, LaneStatistics
from engram.streaming.sessions.paused_backlog import BacklogBudget

# Memory and disk do not empty by themselves; somebody has to see to them.
_RETRY_AFTER_MS_STUCK: Final = 10_000
# Enough for the log's next segments and the end of a checkpoint.
DISK_FREE_BYTES_MIN: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """How full one limited thing is.

    Parameters
    ----------
    field
        The name of the limit, as errors give it.
    value, limit
        What there is, and what there may be.
    fill
        From 0 to 1, or more where a limit was lowered below what is there.
    time_to_drain_ms
        How long that many units of `value` take to drain.
    """

    field: str
    value: int
    limit: int
    fill: float
    time_to_drain_ms: Callable[[int], int]

    def time_until_ms(self, percent: int) -> int:
        """How long until only that much of the limit is used, as far as is known."""
        return self.time_to_drain_ms(max(0, self.value - self.limit * percent // 100))


class Gauge(Protocol):
    """Something that can be read."""

    def read(self) -> Reading:
        """How full it is now."""


class Queue(Protocol):
    """What a gauge needs of the lanes."""

    def statistics(self) -> LanesStatistics:
        """The fill of every lane."""

    def time_to_drain_ms(self, count: int) -> int:
        """How long the committer takes for that many observations."""


class LanesGauge:
    """The fullest lane, by count or by bytes.

    Parameters
    ----------
    lanes
        The queue before the committer.
    of_share
        How much of an equal share of a lane somebody uses, where it is read for one of those who share. A lane that is
        full presses nobody harder than this.
    """

    def __init__(self, lanes: Queue, of_share: Callable[[LaneStatistics], float] = lambda _: math.inf) -> None:
        self._lanes = lanes
        self._of_share = of_share

    def read(self) -> Reading:
        """How full the fullest lane is."""
        fills = [(min(lane.fill, self._of_share(lane)), lane) for lane in self._lanes.statistics().lanes]
        fill, lane = max(fills, key=itemgetter(0))
        name = lane.priority.name.lower()
        if lane.depth / lane.capacity >= lane.nbytes / lane.bytes_max:
            drain = self._lanes.time_to_drain_ms
            return Reading(f"{name}_lane_observations", lane.depth, lane.capacity, fill, drain)
        # Bytes drain with the observations they belong to.
        bytes_each = lane.nbytes / max(1, lane.depth)
        return Reading(
            f"{name}_lane_bytes",
            lane.nbytes,
            lane.bytes_max,
            fill,
            lambda nbytes: self._lanes.time_to_drain_ms(round(nbytes / bytes_each)),
        )


class TailGauge:
    """What of a space is not linked yet."""

    def __init__(self, tail: TailBudget) -> None:
        self._tail = tail

    def read(self) -> Reading:
        """How full the tail is."""
        tail = self._tail
        count, unit = tail.count, tail.unit_bytes
        return Reading(
            tail.field,
            count * unit,
            tail.limit * unit,
            count / tail.limit,
            lambda amount: tail.time_to_drain_ms(amount // unit),
        )


class MemoryGauge:
    """The memory of all indexes, of what waits in the lanes, and of what paused sessions keep.

    Parameters
    ----------
    lanes
        The queue before the committer.
    spaces
        Tells what spaces there are.
    backlogs
        Of paused sessions.
    bytes_max
        The budget.
    with_logs
        Whether logs are in memory too.
    """

    def __init__(
        self,
        lanes: Queue,
        spaces: Callable[[], Iterable[Space]],
        backlogs: BacklogBudget,
        bytes_max: int,
        *,
        with_logs: bool,
    ) -> None:
        self._lanes = lanes
        self._spaces = spaces
        self._backlogs = backlogs
        self._bytes_max = bytes_max
        self._with_logs = with_logs

    def read(self) -> Reading:
        """How much of the memory budget is used."""
        nbytes = sum(lane.nbytes for lane in self._lanes.statistics().lanes)
        nbytes += self._backlogs.nbytes
        for space in self._spaces():
            nbytes += space.index_bytes
            if self._with_logs:
                nbytes += space.stats().log_bytes
        return Reading("memory_bytes", nbytes, self._bytes_max, nbytes / self._bytes_max, _stuck)


class DiskGauge:
    """What is left on the disk. It is full when only the reserve is free, half full when twice the reserve is."""

    def __init__(self, path: Path, free_bytes_min: int) -> None:
        self._path = path
        self._free_bytes_min = free_bytes_min

    def read(self) -> Reading:
        """How close the free space is to the reserve."""
        free = shutil.disk_usage(self._path).free
        return Reading("disk_free_bytes", free, self._free_bytes_min, self._free_bytes_min / max(1, free), _stuck)


def _stuck(_: int) -> int:
    return _RETRY_AFTER_MS_STUCK

"""Gauges of everything that is limited: the lanes, the tail of a space, memory, and the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from weakref import ref

from engram.log.files.file_storage import FileStorage
from engram.log.files.os_errors import typed_failures
from engram.model.priority import Priority
from engram.store.commit.tail_budget import TailBudget
from engram.store.space_engine import SpaceEngine
from engram.streaming.lanes.fair_share import FairShares
from engram.streaming.lanes.lane import LanesStatistics, LaneStatistics
from engram.streaming.pressure.receiving import ReceiveBudget
from engram.streaming.sessions.paused_backlog import BacklogBudget

# Memory and disk do not drain by themselves; an operator has to act first.
_RETRY_AFTER_MS_STUCK: Final = 10_000
# Enough for the next segments of the log and for finishing a checkpoint.
DISK_FREE_BYTES_MIN: Final = 256 * 1024 * 1024


class Reading(NamedTuple):
    """A measurement of one limited resource.

    Parameters
    ----------
    field
        Name of the limit, as errors give it.
    value, limit
        Current amount and its limit, in observations or in bytes.
    fill
        Fraction of the limit in use, from 0 to 1; more than 1 where a limit was lowered below the current amount.
    time_to_drain_ms
        Returns the time in milliseconds that the given amount, in units of `value`, takes to drain.
    where
        A phrase that says where it was measured, such as ``" at /data"``.
    """

    field: str
    value: int
    limit: int
    fill: float
    time_to_drain_ms: Callable[[int], int]
    where: str = ""

    def time_until_ms(self, percent: int) -> int:
        """Return the estimated time in milliseconds until only `percent` percent of the limit is in use."""
        return self.time_to_drain_ms(max(0, self.value - self.limit * percent // 100))


class Gauge(Protocol):
    """A measuring point for one limited resource."""

    def read(self) -> Reading:
        """Return the current reading."""


class Queue(Protocol):
    """The part of the lanes' interface that is read to measure them."""

    @property
    def shares(self) -> FairShares:
        """The ledger of what each space has waiting."""

    @property
    def taken_bytes(self) -> int:
        """Bytes of the requests that are being stored."""

    def fill(self, priority: Priority) -> float:
        """Return the fill of one lane, from 0 to 1; this is cheaper than `statistics`."""

    def statistics(self) -> LanesStatistics:
        """Return the statistics of every lane."""

    def time_to_drain_ms(self, count: int) -> int:
        """Return the time in milliseconds that the committer needs for `count` observations."""


class LanesGauge:
    """Measures the fullest lane, by observations or by bytes.

    Parameters
    ----------
    lanes
        The queue before the committer.
    space
        Name of the space for which the gauge measures. The fill of a lane counts at most as much as the space uses of
        its equal share of the lane. None for a gauge that concerns all spaces, which knows no such bound.
    """

    def __init__(self, lanes: Queue, space: str | None = None) -> None:
        self._lanes = lanes
        self._space = space

    def read(self) -> Reading:
        """Return the reading of the fullest lane."""
        return self.reading_of(self._lanes.statistics())

    def reading_of(self, statistics: LanesStatistics) -> Reading:
        """Return the reading of the fullest lane, of statistics that serve for several gauges."""
        lane, fill = statistics.lanes[0], -1.0
        for each in statistics.lanes:
            # Most lanes are empty most of the time, and then the shares of spaces do not matter.
            if each.fill > fill and (own := self._fill(each)) > fill:
                lane, fill = each, own
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

    def _fill(self, lane: LaneStatistics) -> float:
        if self._space is None:
            return lane.fill
        return min(lane.fill, self._lanes.shares.used(self._space, lane.priority))


class TailGauge:
    """Measures the tail of one space: observations that are admitted but not linked into its graph yet.

    It does not keep the tail in memory: one of a space that has come to rest is empty.
    """

    def __init__(self, tail: TailBudget) -> None:
        self.set(tail)

    def set(self, tail: TailBudget) -> None:
        """Measure another tail from now on."""
        self._tail = ref(tail)
        self._field, self._limit = tail.field, tail.limit * tail.unit_bytes

    def measures(self, tail: TailBudget) -> bool:
        """Return whether it is `tail` that is measured."""
        return self._tail() is tail

    @property
    def is_over(self) -> bool:
        """Whether the tail is in memory no more, because its space has come to rest."""
        return self._tail() is None

    def read(self) -> Reading:
        """Return the reading of the tail."""
        tail = self._tail()
        if tail is None:
            return Reading(self._field, 0, self._limit, 0.0, lambda _: 0)
        count, unit = tail.count, tail.unit_bytes
        return Reading(
            tail.field,
            count * unit,
            tail.limit * unit,
            count / tail.limit,
            partial(_drain_ms, self._tail, unit),
        )


def _drain_ms(weak: ref[TailBudget], unit: int, amount: int) -> int:
    tail = weak()
    return 0 if tail is None else tail.time_to_drain_ms(amount // unit)


def stored_bytes(spaces: Iterable[SpaceEngine], *, with_logs: bool) -> int:
    """Return the memory of what spaces hold, in bytes: their indexes, the data for filters, and logs kept in memory."""
    return sum(space.index_bytes + (space.stats().log_bytes if with_logs else 0) for space in spaces)


def under_way_bytes(lanes: Queue, backlogs: BacklogBudget, receiving: ReceiveBudget) -> int:
    """Return the memory of requests and messages under way, in bytes, from their arrival until they are stored."""
    queued = sum(lane.nbytes for lane in lanes.statistics().lanes)
    # What arrives is there twice when it is decoded, and what is being stored, too: as it came, and as it is written.
    return queued + backlogs.nbytes + 2 * (receiving.nbytes + lanes.taken_bytes)


class MemoryGauge:
    """Measures the memory of all indexes, and of requests and messages under way.

    Parameters
    ----------
    lanes
        The queue before the committer.
    spaces
        Returns all spaces.
    backlogs
        The buffers of paused sessions.
    receiving
        The messages and bodies that have begun to arrive.
    bytes_max
        The memory budget in bytes.
    with_logs
        Whether the logs are kept in memory and count, too.
    """

    def __init__(
        self,
        lanes: Queue,
        spaces: Callable[[], Iterable[SpaceEngine]],
        backlogs: BacklogBudget,
        receiving: ReceiveBudget,
        bytes_max: int,
        *,
        with_logs: bool,
    ) -> None:
        self._lanes = lanes
        self._spaces = spaces
        self._backlogs = backlogs
        self._receiving = receiving
        self._bytes_max = bytes_max
        self._with_logs = with_logs

    def read(self) -> Reading:
        """Return the reading of the memory budget."""
        nbytes = under_way_bytes(self._lanes, self._backlogs, self._receiving)
        nbytes += stored_bytes(self._spaces(), with_logs=self._with_logs)
        return Reading("memory_bytes", nbytes, self._bytes_max, nbytes / self._bytes_max, _stuck)


class DiskGauge:
    """Measures the free disk space: the fill is 1 when only the reserve is free, and 0.5 when twice the reserve is.

    A reading that fails repeats the last one: a disk that says nothing for a moment is as full as it was.

    Parameters
    ----------
    path
        A directory on the disk. As for the store, it may be renamed later: it is held open until `close`.
    free_bytes_min
        The reserve.

    Raises
    ------
    Unavailable
        If the directory cannot be opened.
    """

    def __init__(self, path: Path, free_bytes_min: int) -> None:
        with typed_failures("opening the data directory"):
            self._directory = FileStorage(path, read_only=True)
        self._path = path
        self._free_bytes_min = free_bytes_min
        # A disk that never says how much is free is taken for one with room.
        self._free = 2 * free_bytes_min

    def read(self) -> Reading:
        """Return the reading of the free space relative to the reserve."""
        free = self._directory.unreserved_bytes()
        if free is not None:
            self._free = free
        return Reading(
            "disk_free_bytes",
            self._free,
            self._free_bytes_min,
            self._free_bytes_min / max(1, self._free),
            _stuck,
            f" at {self._path}",
        )

    def close(self) -> None:
        """Close the directory; readings repeat the last one from then on."""
        self._directory.close()


def _stuck(_: int) -> int:
    return _RETRY_AFTER_MS_STUCK

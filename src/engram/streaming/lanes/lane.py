"""One lane: its limits, its fill, and its queued requests, served fairly between spaces."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.model.priority import Priority
from engram.store.commit.queue import CommitRequest, CommitTarget

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """The limits of one lane: how many observations and how many bytes may wait in it."""

    count_max: int
    bytes_max: int

    def fill(self, count: int, nbytes: int) -> float:
        """Return the fill of a lane with this content: the larger fraction of count and bytes, from 0 to 1."""
        return max(count / self.count_max, nbytes / self.bytes_max)


DEFAULT_LIMITS: Final[Mapping[Priority, LaneLimits]] = {
    Priority.HIGH: LaneLimits(10_000, 64 * _MIB),
    Priority.NORMAL: LaneLimits(100_000, 512 * _MIB),
    Priority.LOW: LaneLimits(50_000, 256 * _MIB),
}


class LaneStatistics(NamedTuple):
    """The state of one lane at one moment. `depth` and `capacity` count observations; the totals count requests."""

    priority: Priority
    depth: int
    capacity: int
    nbytes: int
    bytes_max: int
    admitted_total: int
    refused_total: int

    @property
    def fill(self) -> float:
        """The larger fraction of count and bytes in use, from 0 to 1."""
        return max(self.depth / self.capacity, self.nbytes / self.bytes_max)

    def samples(self) -> Iterator[MetricSample]:
        """Yield the metrics of the lane."""
        priority = self.priority.name.lower()
        yield table.QUEUE_DEPTH.sample(self.depth, priority)
        yield table.QUEUE_CAPACITY.sample(self.capacity, priority)
        yield table.QUEUE_BYTES.sample(self.nbytes, priority)
        yield table.QUEUE_CAPACITY_BYTES.sample(self.bytes_max, priority)
        yield table.QUEUE_ADMITTED.sample(self.admitted_total, priority)
        yield table.QUEUE_REFUSED.sample(self.refused_total, priority)


@dataclass(frozen=True, slots=True)
class LanesStatistics:
    """The state of all lanes at one moment."""

    lanes: tuple[LaneStatistics, ...]

    @property
    def depth(self) -> int:
        """The number of observations waiting in all lanes."""
        return sum(lane.depth for lane in self.lanes)

    @property
    def capacity(self) -> int:
        """The number of observations that may wait in all lanes together."""
        return sum(lane.capacity for lane in self.lanes)

    @property
    def pressure(self) -> float:
        """The fill of the fullest lane, from 0 to 1."""
        return max(lane.fill for lane in self.lanes)


class LaneLoad(NamedTuple):
    """Totals of what entered or what left a lane since the lane was created."""

    requests: int = 0
    observations: int = 0
    nbytes: int = 0

    def plus(self, count: int, nbytes: int) -> LaneLoad:
        """Return the totals after one more request of `count` observations and `nbytes` bytes."""
        return LaneLoad(self.requests + 1, self.observations + count, self.nbytes + nbytes)

    def minus(self, earlier: LaneLoad) -> LaneLoad:
        """Return what is still in the lane: these totals minus `earlier`, those of what left; never negative."""
        return LaneLoad(
            max(0, self.requests - earlier.requests),
            max(0, self.observations - earlier.observations),
            max(0, self.nbytes - earlier.nbytes),
        )


@dataclass(slots=True, eq=False)
class QueuedRequest:
    """A request queued in a lane. It is `served` early if a later request of its session is served."""

    request: CommitRequest
    count: int
    nbytes: int
    served: bool = False


@dataclass(slots=True, eq=False)
class _Waiting:
    """The queued requests of one space in a lane."""

    space: CommitTarget
    requests: deque[QueuedRequest] = field(default_factory=deque)
    count: int = 0
    nbytes: int = 0


class Lane:
    """The queued requests of one priority. One thread, which serves them, calls the methods.

    Any thread may read `served`. Within a space, requests are first in, first out. Between spaces, the one goes first
    that has been served the fewest observations since it began to wait, so a space that sends much delays the others by
    at most one request. This is a form of start-time fair queueing (Goyal, Vin and Cheng, 1996).

    Attributes
    ----------
    served
        Totals of what has been served; replaced as a whole.
    passed_over
        Number of consecutive takes that did not serve the lane although requests waited in it.
    """

    def __init__(self, priority: Priority, limits: LaneLimits) -> None:
        self.priority: Final = priority
        self.limits: Final = limits
        self.served: LaneLoad = LaneLoad()
        self.passed_over = 0
        self._waiting: Final[dict[CommitTarget, _Waiting]] = {}
        # A heap of every waiting space, ordered by the observations served to it; ties in the order of arrival.
        self._order: Final[list[tuple[int, int, _Waiting]]] = []
        self._arrivals = 0
        # Position of the space served last. A space that begins to wait starts there: idle time earns it no credit.
        self._position = 0

    def add(self, queued: QueuedRequest) -> None:
        """Append the request `queued` to the queue of its space."""
        space = queued.request.space
        waiting = self._waiting.get(space)
        if waiting is None:
            waiting = self._waiting[space] = _Waiting(space)
            self._arrivals += 1
            heapq.heappush(self._order, (self._position, self._arrivals, waiting))
        waiting.requests.append(queued)
        waiting.count += queued.count
        waiting.nbytes += queued.nbytes

    def head(self) -> QueuedRequest | None:
        """Return the request to serve next, or None if none waits."""
        while self._order:
            waiting = self._order[0][2]
            while waiting.requests and waiting.requests[0].served:
                waiting.requests.popleft()
            if waiting.requests:
                return waiting.requests[0]
            heapq.heappop(self._order)
            del self._waiting[waiting.space]
        return None

    def advance(self, count: int) -> None:
        """Charge `count` served observations to the space of the head."""
        self._position, arrival, waiting = self._order[0]
        heapq.heapreplace(self._order, (self._position + count, arrival, waiting))

    def release(self, queued: QueuedRequest) -> None:
        """Mark the request `queued` as served and free its room in the lane."""
        queued.served = True
        waiting = self._waiting[queued.request.space]
        waiting.count -= queued.count
        waiting.nbytes -= queued.nbytes
        self.served = self.served.plus(queued.count, queued.nbytes)

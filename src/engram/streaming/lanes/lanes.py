"""The queue before the committer: three bounded lanes, High, Normal and Low, that keep each session in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from engram.model.priority import Priority
from engram.store.commit.queue import CommitRequest, CommitTarget
from engram.store.commit.service_rate import ServiceRate
from engram.streaming.lanes.fair_share import FairShares
from engram.streaming.lanes.lane import DEFAULT_LIMITS, Lane, LaneLimits, LanesStatistics, QueuedRequest
from engram.streaming.lanes.lane_admission import LaneAdmission
from engram.streaming.lanes.thread_wakeup import ThreadWakeup

_PRIORITIES: Final = (Priority.HIGH, Priority.NORMAL, Priority.LOW)


class Lanes:
    """An `engram.store.commit.queue.CommitQueue` with priorities, in which no thread ever waits for another.

    High is served before Normal, and Normal before Low. A lane in which requests wait is served at least once in
    `takes_max` takes. Within a lane, the requests of one space are first in, first out, and all spaces get equal
    service, however much one of them sends. Within a session, order precedes priority: a request is never served before
    the earlier requests of its session. When it is served, these are served first, whatever lanes they are in.

    Any thread may call `put`, `close` and the methods that only read. One thread calls `take`; only this thread knows
    the order of service. A lock-free list connects both sides: `LaneAdmission` explains how the limits stay exact, and
    `LockFreeList` why no lock is needed.

    Parameters
    ----------
    limits
        Limits of each lane. A request is admitted whole or not at all.
    take_count_max, take_bytes_max
        The most observations and bytes that one `take` returns. Only a single larger request, or overdue requests (at
        most one of each lane), exceed them.
    takes_max
        A lane in which requests wait is served at least once in this many takes.
    clock
        Monotonic clock in seconds, for the measured drain rate and the shares of the spaces.

    Attributes
    ----------
    shares
        The ledger of what each space has waiting. The lanes count what they serve; whoever admits counts the rest.
    taken_bytes
        Bytes of the requests that were taken last, until they are stored.
    """

    def __init__(
        self,
        limits: Mapping[Priority, LaneLimits] = DEFAULT_LIMITS,
        *,
        take_count_max: int = 8192,
        take_bytes_max: int = 16 * 1024 * 1024,
        takes_max: int = 8,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lanes: Final = tuple(Lane(priority, limits[priority]) for priority in _PRIORITIES)
        self.shares: Final = FairShares(limits, clock)
        self._drain_rate: Final = ServiceRate(clock)
        self._admission: Final = LaneAdmission(self._lanes, self._drain_rate.time_ms)
        self._arrived: Final = ThreadWakeup()
        # The unserved requests of each session, in order, across all lanes.
        self._sessions: Final[dict[tuple[CommitTarget, str], deque[QueuedRequest]]] = {}
        self._waiting = 0
        self.taken_bytes: int = 0
        self._take_count_max: Final = take_count_max
        self._take_bytes_max: Final = take_bytes_max
        self._takes_max: Final = takes_max

    @property
    def depth(self) -> int:
        """The number of observations waiting in all lanes."""
        return self.statistics().depth

    def put(self, request: CommitRequest) -> None:
        """Admit `request` into the lane of its priority, immediately and whole, or refuse it.

        Raises
        ------
        OverCapacity
            If there is no room. The error names what is full, its limit and when to retry.
        Unavailable
            If the lanes are closed.
        """
        self._admission.admit(request)
        self._arrived.wake()

    def take(self, timeout_s: float | None = None) -> list[CommitRequest]:
        """Return the next requests, waiting up to `timeout_s` seconds for the first (None: without a limit).

        The list is empty on timeout, or when the lanes are closed and empty.
        """
        # The committer takes more only when it has stored what it took last.
        self._drain_rate.finish()
        self.taken_bytes = 0
        self._arrived.sleep_until(self._has_work_or_is_closed, timeout_s)
        for queued in self._admission.arrived():
            self._enqueue(queued)
        taken = _Take(self._take_count_max, self._take_bytes_max)
        self._serve_overdue(taken)
        self._serve_by_priority(taken)
        for lane in self._lanes:
            passed_over = lane.head() is not None and lane.priority not in taken.lanes
            lane.passed_over = lane.passed_over + 1 if passed_over else 0
        self._drain_rate.start(taken.count)
        self.taken_bytes = taken.nbytes
        return taken.requests

    def close(self) -> None:
        """Admit nothing more. Waiting requests can still be taken."""
        self._admission.close()
        self._arrived.wake()

    def time_to_drain_ms(self, count: int) -> int:
        """Return the time in milliseconds that the committer needs for `count` observations, at the measured rate."""
        return self._drain_rate.time_ms(count)

    def fill(self, priority: Priority) -> float:
        """Return the fill of one lane, from 0 to 1."""
        waiting = self._admission.waiting(priority - 1)
        return self._lanes[priority - 1].limits.fill(waiting.observations, waiting.nbytes)

    def statistics(self) -> LanesStatistics:
        """Return the statistics of every lane."""
        return LanesStatistics(self._admission.statistics())

    def _has_work_or_is_closed(self) -> bool:
        return self._waiting > 0 or self._admission.has_arrivals() or self._admission.closed

    def _enqueue(self, queued: QueuedRequest) -> None:
        self._lanes[queued.request.priority - 1].add(queued)
        if queued.request.session:
            self._sessions.setdefault(_session_key(queued), deque()).append(queued)
        self._waiting += 1

    def _serve_overdue(self, taken: _Take) -> None:
        for lane in self._lanes:
            head = lane.head()
            if head is not None and lane.passed_over >= self._takes_max - 1:
                queued = self._with_earlier(head)[0]
                self._serve(queued, lane, taken)
                lane.advance(queued.count)

    def _serve_by_priority(self, taken: _Take) -> None:
        for lane in self._lanes:
            while (head := lane.head()) is not None:
                before = taken.count
                is_full = False
                for queued in self._with_earlier(head):
                    is_full = not taken.has_room(queued)
                    if is_full:
                        break
                    self._serve(queued, lane, taken)
                if taken.count > before:
                    # The space of the head caused all of them to be served, so it is charged for all.
                    lane.advance(taken.count - before)
                if is_full:
                    return

    def _with_earlier(self, queued: QueuedRequest) -> list[QueuedRequest]:
        """Return the unserved requests of the session of `queued`, in order, up to and including `queued`."""
        if not queued.request.session:
            return [queued]
        queue = self._sessions[_session_key(queued)]
        return [queue[i] for i in range(queue.index(queued) + 1)]

    def _serve(self, queued: QueuedRequest, lane: Lane, taken: _Take) -> None:
        # `lane` granted the service, even if the request waited in another lane.
        priority = queued.request.priority
        self._lanes[priority - 1].release(queued)
        self.shares.count_served(queued.request.space.config.name, priority, queued.count, queued.nbytes)
        if queued.request.session:
            key = _session_key(queued)
            self._sessions[key].popleft()
            if not self._sessions[key]:
                del self._sessions[key]
        self._waiting -= 1
        taken.add(queued, lane)


class _Take:
    """The requests that one `take` has gathered so far, and the room that is left."""

    def __init__(self, count_max: int, bytes_max: int) -> None:
        self.requests: list[CommitRequest] = []
        self.lanes: set[Priority] = set()
        self.count = 0
        self.nbytes = 0
        self._count_max = count_max
        self._bytes_max = bytes_max

    def has_room(self, queued: QueuedRequest) -> bool:
        """Return whether `queued` fits. The first request always fits; otherwise a large one would never be served."""
        fits = self.count + queued.count <= self._count_max and self.nbytes + queued.nbytes <= self._bytes_max
        return fits or not self.requests

    def add(self, queued: QueuedRequest, lane: Lane) -> None:
        """Add the request `queued`, to which `lane` granted service."""
        self.requests.append(queued.request)
        self.lanes.add(lane.priority)
        self.count += queued.count
        self.nbytes += queued.nbytes


def _session_key(queued: QueuedRequest) -> tuple[CommitTarget, str]:
    return queued.request.space, queued.request.session

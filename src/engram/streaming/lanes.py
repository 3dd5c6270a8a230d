"""The queue before the committer: three bounded lanes, High, Normal and Low, that keep every session in order."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from engram.errors import OverCapacity, Unavailable
from engram.store.drain_rate import DrainRate
from engram.store.intake import CommitRequest, Priority
from engram.streaming.lane import DEFAULT_LIMITS, Lane, LaneLimits, LanesStatistics, Turn


class Lanes:
    """An `engram.store.intake.Intake` with priorities.

    Each lane is first in, first out; High goes before Normal, Normal before Low. A lane that waits is served at least
    once in `takes_max` takes. Within a session order comes before priority: a request is never served before the
    earlier ones of its session, so when its turn comes they are served with it.

    Any thread may call any method.

    Parameters
    ----------
    limits
        Per lane. A request is admitted whole or not at all.
    take_count_max, take_bytes_max
        What one `take` returns at most, exceeded only by one request at a time that is larger or overdue.
    takes_max
        See above.
    clock
        Seconds, monotonic; for the measured drain rate.
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
        self._lanes: Final = {p: Lane(p, limits[p]) for p in (Priority.HIGH, Priority.NORMAL, Priority.LOW)}
        # The unserved turns of each session, in order, whatever their lanes.
        self._sessions: Final[dict[tuple[str, str], deque[Turn]]] = {}
        self._take_count_max: Final = take_count_max
        self._take_bytes_max: Final = take_bytes_max
        self._takes_max: Final = takes_max
        self._drain_rate: Final = DrainRate(clock)
        self._filled: Final = threading.Condition()
        self._waiting = 0
        self._closed = False

    @property
    def depth(self) -> int:
        """Observations waiting in all lanes."""
        return sum(lane.depth for lane in self._lanes.values())

    def put(self, request: CommitRequest) -> None:
        """Admit `request` into the lane of its priority, at once and whole, or refuse it.

        Raises
        ------
        OverCapacity
            If the lane has no room, naming what is full, its limit and when to come back.
        Unavailable
            If the lanes are closed.
        """
        turn = Turn(request, request.count, request.nbytes)
        with self._filled:
            if self._closed:
                raise Unavailable("the store is closing and takes no more writes", code="shutting_down")
            lane = self._lanes[request.priority]
            self._check_room(lane, turn)
            lane.add(turn)
            if request.session:
                self._sessions.setdefault(_session_key(request), deque()).append(turn)
            self._waiting += 1
            self._filled.notify()

    def take(self, timeout_s: float | None = None) -> list[CommitRequest]:
        """Return the next requests, waiting up to `timeout_s` for the first; none on timeout or when closed."""
        with self._filled:
            # Who comes back for more has stored what was taken last.
            self._drain_rate.finish()
            self._filled.wait_for(lambda: self._waiting or self._closed, timeout_s)
            taken = _Take(self._take_count_max, self._take_bytes_max)
            self._serve_overdue(taken)
            self._serve_by_priority(taken)
            for lane in self._lanes.values():
                passed_over = lane.head() is not None and lane.priority not in taken.lanes
                lane.passed_over = lane.passed_over + 1 if passed_over else 0
            self._drain_rate.start(taken.count)
            return taken.requests

    def close(self) -> None:
        """Admit nothing more. What waits can still be taken."""
        with self._filled:
            self._closed = True
            self._filled.notify_all()

    def time_to_drain_ms(self, count: int) -> int:
        """Return how long the committer takes for `count` observations, at the measured rate."""
        with self._filled:
            return self._drain_rate.time_ms(count)

    def statistics(self) -> LanesStatistics:
        """Return the fill of every lane."""
        with self._filled:
            return LanesStatistics(tuple(lane.statistics() for lane in self._lanes.values()))

    def _check_room(self, lane: Lane, turn: Turn) -> None:
        limits = lane.limits
        name = lane.priority.name.lower()
        for what, used, more, limit in (
            ("observations", lane.depth, turn.count, limits.count_max),
            ("bytes", lane.nbytes, turn.nbytes, limits.bytes_max),
        ):
            excess = used + more - limit
            if excess <= 0:
                continue
            lane.refused_total += 1
            # Bytes drain with the observations they belong to. What exceeds an empty lane never fits.
            count = excess if what == "observations" else -(-excess * lane.depth // max(used, 1))
            raise OverCapacity(
                f"the {name} lane holds {used} of {limit} {what}; {more} more do not fit",
                code="lane_full",
                field=f"{name}_lane_{what}",
                limit=limit,
                value=used + more,
                retry_after_ms=None if more > limit else self._drain_rate.time_ms(count),
            )

    def _serve_overdue(self, taken: _Take) -> None:
        for lane in self._lanes.values():
            head = lane.head()
            if head is not None and lane.passed_over >= self._takes_max - 1:
                self._serve(next(iter(self._with_earlier(head))), lane, taken)

    def _serve_by_priority(self, taken: _Take) -> None:
        for lane in self._lanes.values():
            while (head := lane.head()) is not None:
                for turn in self._with_earlier(head):
                    if not taken.has_room(turn):
                        return
                    self._serve(turn, lane, taken)

    def _with_earlier(self, turn: Turn) -> list[Turn]:
        """Return `turn` and the earlier unserved ones of its session, in order."""
        if not turn.request.session:
            return [turn]
        queue = self._sessions[_session_key(turn.request)]
        return [queue[i] for i in range(queue.index(turn) + 1)]

    def _serve(self, turn: Turn, lane: Lane, taken: _Take) -> None:
        self._lanes[turn.request.priority].release(turn)
        if turn.request.session:
            key = _session_key(turn.request)
            self._sessions[key].popleft()
            if not self._sessions[key]:
                del self._sessions[key]
        self._waiting -= 1
        taken.add(turn, lane)


class _Take:
    """What one `take` has gathered so far, and the room that is left."""

    def __init__(self, count_max: int, bytes_max: int) -> None:
        self.requests: list[CommitRequest] = []
        self.lanes: set[Priority] = set()
        self.count = 0
        self._nbytes = 0
        self._count_max = count_max
        self._bytes_max = bytes_max

    def has_room(self, turn: Turn) -> bool:
        """Whether `turn` fits. The first always does, or a large one would never be served."""
        fits = self.count + turn.count <= self._count_max and self._nbytes + turn.nbytes <= self._bytes_max
        return fits or not self.requests

    def add(self, turn: Turn, lane: Lane) -> None:
        """Add `turn`, served on a turn of `lane`."""
        self.requests.append(turn.request)
        self.lanes.add(lane.priority)
        self.count += turn.count
        self._nbytes += turn.nbytes


def _session_key(request: CommitRequest) -> tuple[str, str]:
    return request.space.config.name, request.session

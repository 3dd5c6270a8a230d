"""Admission into the lanes: the limits are exact for any number of threads, and no thread waits for another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from engram.errors import OverCapacity, Unavailable
from engram.store.commit.queue import CommitRequest
from engram.streaming.lanes.lane import Lane, LaneLoad, LaneStatistics, QueuedRequest
from engram.streaming.lanes.lock_free_list import ListReader, LockFreeList


class _State(NamedTuple):
    """The totals admitted into each lane up to some admission, and whether the lanes are closed."""

    admitted: tuple[LaneLoad, ...]
    closed: bool = False


class _Arrival:
    """An item of the list: a state, and the request whose admission led to it (None for `close`, and once read)."""

    __slots__ = ("queued", "state")

    def __init__(self, state: _State, queued: QueuedRequest | None = None) -> None:
        self.state: Final = state
        self.queued = queued


class LaneAdmission:
    """Admits each request whole or refuses it. Any thread may call any method except `arrived`.

    An admission appends to a `LockFreeList` whose last item holds the totals admitted so far. The one thread that
    serves counts what has been served; an outdated value of that count can only lead to a refusal. So the lanes never
    hold more than their limits, not even for a moment, and no thread takes a lock.

    Parameters
    ----------
    lanes
        One for each priority, the highest first.
    time_ms
        Returns the time in milliseconds until the given number of observations has been served.
    """

    def __init__(self, lanes: Sequence[Lane], time_ms: Callable[[int], int]) -> None:
        self._lanes: Final = lanes
        self._time_ms: Final = time_ms
        self._admissions: Final = LockFreeList(_Arrival(_State((LaneLoad(),) * len(lanes))))
        self._reader: Final[ListReader[_Arrival]] = self._admissions.reader()
        self._refused: Final = [LockFreeList(0) for _ in lanes]

    @property
    def closed(self) -> bool:
        """Whether the lanes admit nothing more."""
        return self._admissions.last.state.closed

    def admit(self, request: CommitRequest) -> None:
        """Admit `request` into the lane of its priority.

        Raises
        ------
        OverCapacity
            If there is no room. The error names what is full, its limit and when to retry.
        Unavailable
            After `close`.
        """
        lane = request.priority - 1
        queued = QueuedRequest(request, request.count, request.nbytes)
        try:
            self._admissions.append(partial(self._admission, lane, queued))
        except OverCapacity:
            self._refused[lane].append(_one_more)
            raise

    def close(self) -> None:
        """Admit nothing more. Requests that are already admitted can still be served."""
        self._admissions.append(lambda last: _Arrival(_State(last.state.admitted, closed=True)))

    def has_arrivals(self) -> bool:
        """Return whether `arrived` would return any request."""
        return bool(self._reader)

    def arrived(self) -> list[QueuedRequest]:
        """Return the requests admitted since the last call, in order. Only the thread that serves may call it."""
        requests = []
        for arrival in self._reader:
            if arrival.queued is not None:
                requests.append(arrival.queued)
                # The list keeps its last item alive, but the request in it must not be kept.
                arrival.queued = None
        return requests

    def waiting(self, lane: int) -> LaneLoad:
        """Return what waits in the lane at index `lane`."""
        # `admitted` is read before `served`, so the result never exceeds what the lane held at some moment.
        admitted = self._admissions.last.state.admitted[lane]
        return admitted.minus(self._lanes[lane].served)

    def statistics(self) -> tuple[LaneStatistics, ...]:
        """Return the statistics of every lane."""
        state = self._admissions.last.state
        return tuple(map(self._statistics_of, self._lanes, state.admitted, self._refused))

    def _statistics_of(self, lane: Lane, admitted: LaneLoad, refused: LockFreeList[int]) -> LaneStatistics:
        waiting, limits = admitted.minus(lane.served), lane.limits
        return LaneStatistics(
            lane.priority,
            waiting.observations,
            limits.count_max,
            waiting.nbytes,
            limits.bytes_max,
            admitted.requests,
            refused.last,
        )

    def _admission(self, lane: int, queued: QueuedRequest, last: _Arrival) -> _Arrival:
        if last.state.closed:
            raise Unavailable("the store is closing and takes no more writes", code="shutting_down")
        admitted = last.state.admitted
        self._check_room(self._lanes[lane], admitted[lane], queued)
        return _Arrival(
            _State((*admitted[:lane], admitted[lane].plus(queued.count, queued.nbytes), *admitted[lane + 1 :])), queued
        )

    def _check_room(self, lane: Lane, admitted: LaneLoad, queued: QueuedRequest) -> None:
        served, limits = lane.served, lane.limits
        count = admitted.observations - served.observations
        nbytes = admitted.nbytes - served.nbytes
        if count + queued.count > limits.count_max:
            raise self._full(lane, "observations", count, queued.count, limits.count_max, count)
        if nbytes + queued.nbytes > limits.bytes_max:
            raise self._full(lane, "bytes", nbytes, queued.nbytes, limits.bytes_max, count)

    def _full(self, lane: Lane, what: str, used: int, more: int, limit: int, count: int) -> OverCapacity:
        name, excess = lane.priority.name.lower(), used + more - limit
        # Bytes drain with the observations they belong to. A request larger than an empty lane never fits, so its error
        # has no retry time.
        count_before = -(-excess * count // max(used, 1))
        return OverCapacity(
            f"the {name} lane holds {used} of {limit} {what}; {more} more do not fit",
            code="lane_full",
            field=f"{name}_lane_{what}",
            limit=limit,
            value=used + more,
            retry_after_ms=None if more > limit else self._time_ms(count_before),
        )


def _one_more(count: int) -> int:
    return count + 1

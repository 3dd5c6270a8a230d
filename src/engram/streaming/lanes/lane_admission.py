"""Admission into the lanes: exact limits for any number of threads, none of which waits for another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from engram.errors import OverCapacity, Unavailable
from engram.store.commit.queue import CommitRequest
from engram.streaming.lanes.fair_share import FairShares
from engram.streaming.lanes.lane import Lane, LaneLoad, LaneStatistics, QueuedRequest
from engram.streaming.lanes.lock_free_list import ListReader, LockFreeList


class _State(NamedTuple):
    """What had been admitted into each lane after some admission, or that it was closed then."""

    admitted: tuple[LaneLoad, ...]
    closed: bool = False


class _Arrival:
    """An admitted turn and the state after it."""

    __slots__ = ("state", "turn")

    def __init__(self, state: _State, turn: QueuedRequest | None = None) -> None:
        self.state: Final = state
        self.turn = turn


class LaneAdmission:
    """Admits requests whole or refuses them; any thread may call any method except `arrived`.

    An admission appends to a `LockFreeList`, whose last item knows what has been admitted so far. What has been served
    is counted by the one thread that serves; an outdated look at that count errs on the side of refusing. So the lanes
    never hold more than their limits, not even for a moment, and nobody takes a lock.

    Parameters
    ----------
    lanes, shares
        By priority, the highest first.
    time_ms
        Tells how long it takes until so many observations have been served.
    """

    def __init__(self, lanes: Sequence[Lane], shares: Sequence[FairShares], time_ms: Callable[[int], int]) -> None:
        self._lanes: Final = lanes
        self._shares: Final = shares
        self._time_ms: Final = time_ms
        self._chain: Final = LockFreeList(_Arrival(_State((LaneLoad(),) * len(lanes))))
        self._reader: Final[ListReader[_Arrival]] = self._chain.reader()
        self._refused: Final = [LockFreeList(0) for _ in lanes]

    @property
    def closed(self) -> bool:
        """Whether nothing is admitted any more."""
        return self._chain.last.state.closed

    def admit(self, request: CommitRequest) -> None:
        """Admit `request` into the lane of its priority.

        Raises
        ------
        OverCapacity
            If there is no room, naming what is full, its limit and when to come back.
        Unavailable
            After `close`.
        """
        lane = request.priority - 1
        turn = QueuedRequest(request, request.count, request.nbytes)
        try:
            self._check_share(lane, turn)
            self._chain.append(partial(self._admission, lane, turn))
        except OverCapacity:
            self._refused[lane].append(_one_more)
            self._shares[lane].claim(request.space)
            raise

    def close(self) -> None:
        """Admit nothing more."""
        self._chain.append(lambda last: _Arrival(_State(last.state.admitted, closed=True)))

    def has_arrivals(self) -> bool:
        """Whether `arrived` would return something."""
        return bool(self._reader)

    def arrived(self) -> list[QueuedRequest]:
        """Return what was admitted since the last call, in order. Belongs to the one thread that serves."""
        turns = []
        for arrival in self._reader:
            if arrival.turn is not None:
                turns.append(arrival.turn)
                # The chain keeps its last item, but need not keep what was in it.
                arrival.turn = None
        return turns

    def waiting(self, lane: int) -> LaneLoad:
        """Return what is in a lane."""
        # Read in this order, it is never more than there was at some moment.
        admitted = self._chain.last.state.admitted[lane]
        return admitted.minus(self._lanes[lane].served)

    def statistics(self) -> tuple[LaneStatistics, ...]:
        """Return the fill of every lane."""
        state = self._chain.last.state
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

    def _admission(self, lane: int, turn: QueuedRequest, last: _Arrival) -> _Arrival:
        if last.state.closed:
            raise Unavailable("the store is closing and takes no more writes", code="shutting_down")
        admitted = last.state.admitted
        self._check_room(self._lanes[lane], admitted[lane], turn)
        return _Arrival(_State((*admitted[:lane], admitted[lane].plus(turn), *admitted[lane + 1 :])), turn)

    def _check_room(self, lane: Lane, admitted: LaneLoad, turn: QueuedRequest) -> None:
        served, limits = lane.served, lane.limits
        count = admitted.observations - served.observations
        nbytes = admitted.nbytes - served.nbytes
        if count + turn.count > limits.count_max:
            raise self._full(lane, "observations", count, turn.count, limits.count_max, count)
        if nbytes + turn.nbytes > limits.bytes_max:
            raise self._full(lane, "bytes", nbytes, turn.nbytes, limits.bytes_max, count)

    def _full(self, lane: Lane, what: str, used: int, more: int, limit: int, count: int) -> OverCapacity:
        name, excess = lane.priority.name.lower(), used + more - limit
        # Bytes drain with the observations they belong to. What exceeds an empty lane never fits.
        count_before = -(-excess * count // max(used, 1))
        return OverCapacity(
            f"the {name} lane holds {used} of {limit} {what}; {more} more do not fit",
            code="lane_full",
            field=f"{name}_lane_{what}",
            limit=limit,
            value=used + more,
            retry_after_ms=None if more > limit else self._time_ms(count_before),
        )

    def _check_share(self, lane: int, turn: QueuedRequest) -> None:
        space = turn.request.space
        share = self._shares[lane].excess(space)
        if share is None:
            return
        name, limits = self._lanes[lane].priority.name.lower(), self._lanes[lane].limits
        fill, fill_max = f"{share.fill:.0%}", f"{share.fill_max:.0%}"
        raise OverCapacity(
            f"space {space.config.name} fills {fill} of the {name} lane; its share, beside others, is {fill_max}",
            code="lane_share",
            field=f"{name}_lane_share",
            limit=fill_max,
            value=fill,
            retry_after_ms=self._time_ms(max(1, round((share.fill - share.fill_max) * limits.count_max))),
        )


def _one_more(count: int) -> int:
    return count + 1

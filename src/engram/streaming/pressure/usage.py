"""The content of the lanes by space, and how it compares with an equal share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engram.model.priority import Priority
from engram.streaming.lanes.lane import LaneStatistics

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine


@dataclass(frozen=True, slots=True)
class Held:
    """The part of a lane that a request occupies. It does not keep the request, which may be large, in memory."""

    space: SpaceEngine
    priority: Priority
    count: int
    nbytes: int


class Usage:
    """Counts what is between admission and result, by lane and space. Used on the event loop's thread only."""

    def __init__(self) -> None:
        # By lane: observations and bytes of every space that has requests in it.
        self._held: Final[dict[Priority, dict[SpaceEngine, tuple[int, int]]]] = {priority: {} for priority in Priority}

    def enter(self, held: Held) -> None:
        """Add a request that has been admitted."""
        self._add(held, 1)

    def leave(self, held: Held) -> None:
        """Subtract a request that has its result."""
        self._add(held, -1)

    def spaces(self) -> Iterable[SpaceEngine]:
        """Return all spaces that have requests in a lane."""
        return set().union(*self._held.values())

    def of_share(self, space: SpaceEngine, lane: LaneStatistics) -> float:
        """Return the fraction of an equal share of `lane` that `space` uses: 1 is all of the share, 0.5 half of it."""
        holders = self._held[lane.priority]
        count, nbytes = holders.get(space, (0, 0))
        sharing = len(holders) if space in holders else len(holders) + 1
        return sharing * max(count / lane.capacity, nbytes / lane.bytes_max)

    def _add(self, held: Held, times: int) -> None:
        holders = self._held[held.priority]
        count, nbytes = holders.get(held.space, (0, 0))
        count += times * held.count
        nbytes += times * held.nbytes
        if count or nbytes:
            holders[held.space] = count, nbytes
        else:
            holders.pop(held.space, None)

"""Fair shares of the lanes: what each space has waiting, what an equal share is, and who exceeds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from engram.model.priority import Priority
from engram.streaming.lanes.lane import LaneLimits, LaneLoad

_DIVIDED_FROM: Final = 0.5
# A space counts as one of those that share a lane for this long after it last asked for room or had something waiting.
_INTEREST_S: Final = 5.0


class Share(NamedTuple):
    """The fraction of a lane that a space fills, and the fraction that it may fill now; both from 0 to 1."""

    fill: float
    fill_max: float


class FairShares:
    """The ledger of what every space has waiting in the lanes, by which one space cannot keep the others out.

    **An equal share** of a lane is the lane divided by the number of spaces that share it. A space shares a lane if
    something of it waits there, or if it asked for room in the last five seconds, whether it got any or not. Counting
    only what waits would fail exactly where shares matter: when one space has filled the lane, the others have nothing
    in it, and the first would seem to be alone. Counting only who asks would forget a space whose requests wait longer
    than that, as behind a slow disk. Five seconds keep the share of a space that sends now and then, and give it back
    soon to the others when the space has gone.

    The share has two uses. Once a lane is half full, a space above its share is refused more room (`excess`); a space
    that is alone may fill the lane. And a full lane puts pressure on a space only as far as the space uses up its
    share (`used`). Both use the same numbers, so whoever is refused is also the one who is told to slow down.

    What waits is what was admitted less what was served. The event loop's thread counts the first and calls all methods
    but one. The thread that serves the lanes counts the second, by `count_served`. Each total has one writer, which
    replaces it as a whole, so no thread waits for another; a number may be a moment old.

    Parameters
    ----------
    limits
        The limits of each lane.
    clock
        Monotonic clock in seconds.
    """

    def __init__(self, limits: Mapping[Priority, LaneLimits], clock: Callable[[], float]) -> None:
        self._lanes: Final = {priority: _SharedLane(of_lane, clock) for priority, of_lane in limits.items()}

    def claim(self, space: str, priority: Priority) -> None:
        """Record that the space of this name asks for room in a lane."""
        self._lanes[priority].claim(space)

    def count_admitted(self, space: str, priority: Priority, count: int, nbytes: int) -> None:
        """Count a request of `count` observations and `nbytes` bytes that a lane has admitted."""
        lane = self._lanes[priority]
        lane.claim(space)
        lane.admitted[space] = lane.admitted.get(space, LaneLoad()).plus(count, nbytes)

    def count_served(self, space: str, priority: Priority, count: int, nbytes: int) -> None:
        """Count a request that has left a lane; for the thread that serves the lanes."""
        served = self._lanes[priority].served
        served[space] = served.get(space, LaneLoad()).plus(count, nbytes)

    def waiting(self) -> set[str]:
        """Return the names of all spaces of which something waits in a lane."""
        return {space for lane in self._lanes.values() for space in lane.admitted if lane.waits(space)}

    def used(self, space: str, priority: Priority) -> float:
        """Return the fraction of its equal share that a space has waiting: 1 is all of the share, 0.5 half of it."""
        lane = self._lanes[priority]
        return lane.fill(space) * lane.sharers(space)

    def excess(self, space: str, priority: Priority, fill: float) -> Share | None:
        """Return the share of a space if it exceeds it and the lane, filled to `fill`, is at least half full."""
        if fill < _DIVIDED_FROM:
            return None
        lane = self._lanes[priority]
        share = Share(lane.fill(space), 1 / lane.sharers(space))
        return share if share.fill > share.fill_max else None


class _SharedLane:
    """What `FairShares` knows about one lane: totals by space, and when each space was last interested in the lane."""

    def __init__(self, limits: LaneLimits, clock: Callable[[], float]) -> None:
        self.admitted: Final[dict[str, LaneLoad]] = {}
        self.served: Final[dict[str, LaneLoad]] = {}
        self._limits = limits
        self._clock = clock
        # In the order of time, the longest ago first.
        self._interested_s: Final[dict[str, float]] = {}

    def claim(self, space: str) -> None:
        self._interested_s.pop(space, None)
        self._interested_s[space] = self._clock()

    def waits(self, space: str) -> bool:
        return self._waiting(space).requests > 0

    def fill(self, space: str) -> float:
        """Return the fraction of the lane that a space fills."""
        waiting = self._waiting(space)
        return self._limits.fill(waiting.observations, waiting.nbytes)

    def sharers(self, space: str) -> int:
        """Return the number of spaces that share the lane, `space` included."""
        lapsed_s = self._clock() - _INTEREST_S
        while self._interested_s:
            oldest, interested_s = next(iter(self._interested_s.items()))
            if interested_s > lapsed_s:
                break
            if self.waits(oldest):
                self.claim(oldest)
            else:
                del self._interested_s[oldest]
        return len(self._interested_s) + (space not in self._interested_s)

    def _waiting(self, space: str) -> LaneLoad:
        return self.admitted.get(space, LaneLoad()).minus(self.served.get(space, LaneLoad()))

"""One lane: its limits, its fill, and the turns that wait in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engram.store.intake import CommitRequest, Priority

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much may wait in one lane: observations and bytes."""

    count_max: int
    bytes_max: int


DEFAULT_LIMITS: Final[Mapping[Priority, LaneLimits]] = {
    Priority.HIGH: LaneLimits(10_000, 64 * _MIB),
    Priority.NORMAL: LaneLimits(100_000, 512 * _MIB),
    Priority.LOW: LaneLimits(50_000, 256 * _MIB),
}


@dataclass(frozen=True, slots=True)
class LaneStatistics:
    """One lane at one moment. `depth` and `capacity` count observations; the totals count requests."""

    priority: Priority
    depth: int
    capacity: int
    nbytes: int
    bytes_max: int
    admitted_total: int
    refused_total: int

    @property
    def fill(self) -> float:
        """The fuller of count and bytes, from 0 to 1."""
        return max(self.depth / self.capacity, self.nbytes / self.bytes_max)


@dataclass(frozen=True, slots=True)
class LanesStatistics:
    """All lanes at one moment."""

    lanes: tuple[LaneStatistics, ...]

    @property
    def depth(self) -> int:
        """Observations waiting in all lanes."""
        return sum(lane.depth for lane in self.lanes)

    @property
    def capacity(self) -> int:
        """Observations that may wait in all lanes."""
        return sum(lane.capacity for lane in self.lanes)

    @property
    def pressure(self) -> float:
        """Fill of the fullest lane, from 0 to 1."""
        return max(lane.fill for lane in self.lanes)


@dataclass(slots=True, eq=False)
class Turn:
    """A request's place in its lane. It is `served` early if a later request of its session is served."""

    request: CommitRequest
    count: int
    nbytes: int
    served: bool = False


@dataclass(slots=True)
class Lane:
    """The turns of one priority, first in, first out. `Lanes` guards it with its lock."""

    priority: Priority
    limits: LaneLimits
    turns: deque[Turn] = field(default_factory=deque)
    depth: int = 0
    nbytes: int = 0
    passed_over: int = 0
    admitted_total: int = 0
    refused_total: int = 0

    def add(self, turn: Turn) -> None:
        """Append `turn`, for which there must be room."""
        self.turns.append(turn)
        self.depth += turn.count
        self.nbytes += turn.nbytes
        self.admitted_total += 1

    def release(self, turn: Turn) -> None:
        """Give back the room of `turn`, which is served now."""
        turn.served = True
        self.depth -= turn.count
        self.nbytes -= turn.nbytes

    def head(self) -> Turn | None:
        """Return the turn that is next, or None if nobody waits."""
        while self.turns and self.turns[0].served:
            self.turns.popleft()
        return self.turns[0] if self.turns else None

    def statistics(self) -> LaneStatistics:
        """Return the fill of the lane now."""
        return LaneStatistics(
            self.priority,
            self.depth,
            self.limits.count_max,
            self.nbytes,
            self.limits.bytes_max,
            self.admitted_total,
            self.refused_total,
        )

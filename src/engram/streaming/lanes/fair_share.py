"""Room in a lane for every space: from half full on, who has more than an equal share waits for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from engram.store.commit.queue import CommitTarget

_DIVIDED_FROM: Final = 0.5
# A space counts among those that share for so long after it sent something, whether there was room for it or not.
_INTEREST_S: Final = 5.0


class Share(NamedTuple):
    """What a space fills of a lane, and what it may fill at the moment; from 0 to 1."""

    fill: float
    fill_max: float


_NOBODY: Final[Mapping[CommitTarget, Share]] = MappingProxyType({})


class FairShares:
    """The shares of one lane.

    A space that is alone may fill the lane. When others send too, or tried to, and the lane is more than half full, a
    space with more than an equal share gets no more room until it has less. So a busy space, however fast it sends,
    keeps the others out for one take of the committer at most.

    The thread that serves the lane calls `note` and `divide`, any thread `excess` and `claim`. What they exchange is
    replaced as a whole or set in one step, so nobody waits.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._crowding: Mapping[CommitTarget, Share] = _NOBODY
        self._claimed_s: Final[dict[CommitTarget, float]] = {}

    def excess(self, space: CommitTarget) -> Share | None:
        """Return the share of `space` if it has more than that; None if it may go on."""
        return self._crowding.get(space)

    def claim(self, space: CommitTarget) -> None:
        """Note that `space` wants room in the lane."""
        self._claimed_s[space] = self._clock()

    def divide(
        self, fill: float, fills: Callable[[], Mapping[CommitTarget, float]], arrived: Iterable[CommitTarget]
    ) -> None:
        """Work out who has too much.

        Parameters
        ----------
        fill
            How full the lane is.
        fills
            Tells which part of it each space fills; not asked while there is room.
        arrived
            The spaces that something arrived from since the last call.
        """
        for space in arrived:
            self.claim(space)
        if fill < _DIVIDED_FROM:
            self._crowding = _NOBODY
            return
        lapsed_s = self._clock() - _INTEREST_S
        # A copy, made in one step, as other threads add to it.
        for space, claimed_s in self._claimed_s.copy().items():
            if claimed_s < lapsed_s:
                self._claimed_s.pop(space, None)
        held = fills()
        fill_max = 1 / max(1, len(held.keys() | self._claimed_s.keys()))
        self._crowding = {space: Share(part, fill_max) for space, part in held.items() if part > fill_max}

"""Fair shares of a lane: once it is half full, a space above an equal share gets no more room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from engram.store.commit.queue import CommitTarget

_DIVIDED_FROM: Final = 0.5
# A space counts as one of those that share the lane for this long after its last request, admitted or refused.
_INTEREST_S: Final = 5.0


class Share(NamedTuple):
    """The fraction of a lane that a space fills, and the fraction that it may fill now; both from 0 to 1."""

    fill: float
    fill_max: float


_NOBODY: Final[Mapping[CommitTarget, Share]] = MappingProxyType({})


class FairShares:
    """The shares of all spaces in one lane.

    A space that is alone may fill the lane. When other spaces also send, or tried to, and the lane is at least half
    full, a space above an equal share gets no more room until it no longer exceeds that share. So a busy space, however
    fast it sends, keeps the others out for at most one `take` of the committer.

    The thread that serves the lane calls `divide`; any thread may call `excess` and `claim`. Shared state is replaced
    as a whole or changed in one atomic step, so no thread waits for another.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._crowding: Mapping[CommitTarget, Share] = _NOBODY
        self._claimed_s: Final[dict[CommitTarget, float]] = {}

    def excess(self, space: CommitTarget) -> Share | None:
        """Return the share of `space` if `space` exceeds it, or None if the lane may admit more from `space`."""
        return self._crowding.get(space)

    def claim(self, space: CommitTarget) -> None:
        """Record that `space` wants room in the lane."""
        self._claimed_s[space] = self._clock()

    def divide(
        self, fill: float, fills: Callable[[], Mapping[CommitTarget, float]], arrived: Iterable[CommitTarget]
    ) -> None:
        """Determine which spaces exceed an equal share of the lane.

        Parameters
        ----------
        fill
            Fill of the lane, from 0 to 1.
        fills
            Returns the fraction of the lane that each space fills. It is called only if the lane is at least half full.
        arrived
            The spaces whose requests were admitted since the last call.
        """
        for space in arrived:
            self.claim(space)
        if fill < _DIVIDED_FROM:
            self._crowding = _NOBODY
            return
        lapsed_s = self._clock() - _INTEREST_S
        # Other threads add entries meanwhile, so the loop needs a copy; `copy` is one atomic step.
        for space, claimed_s in self._claimed_s.copy().items():
            if claimed_s < lapsed_s:
                self._claimed_s.pop(space, None)
        held = fills()
        fill_max = 1 / max(1, len(held.keys() | self._claimed_s.keys()))
        self._crowding = {space: Share(part, fill_max) for space, part in held.items() if part > fill_max}

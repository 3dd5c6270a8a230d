"""The observations of a space that expire, and which of them are due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.model.values.expiry import NEVER_US
from engram.store.filters.postings import GrowingArray, Keeps

NOTHING: Final = np.empty(0, dtype=np.int64)
"""No observations."""

# So many rows have one least time, by which those are passed over that are not due.
_BLOCK_ROWS: Final = 1024
# With more blocks than this, all rows are compared at once.
_BLOCKS_ALONE_MAX: Final = 64


class ExpiringRows:
    """When observations expire, in the order of generations; the others take no room.

    The committer thread extends it. Any thread reads without locks. A lock of the caller keeps `settle` and `extend`
    apart. It takes 24 bytes for each observation that expires, until no snapshot that is retained sees it.

    Attributes
    ----------
    soonest_us
        No observation that may have to be hidden is due before this time.
    settled_generation
        What was over at this generation may be passed over by `waiting`.
    """

    def __init__(self) -> None:
        self._generations = GrowingArray(np.int64)
        self._expires_us = GrowingArray(np.int64)
        # The same, but `NEVER_US` where nothing is left to be hidden.
        self._waiting_us = GrowingArray(np.int64)
        self._least_us = GrowingArray(np.int64)
        self.soonest_us: int = NEVER_US
        self.settled_generation: int = 0

    def __len__(self) -> int:
        return len(self._generations.view)

    @property
    def generations(self) -> NDArray[np.int64]:
        """The observations: int64, ascending."""
        return self._generations.view

    @property
    def expires_us(self) -> NDArray[np.int64]:
        """When each expires. There may be more than `generations`, if these were read before."""
        return self._expires_us.view

    def extend(self, generations: Sequence[int] | NDArray[np.int64], expires_us: NDArray[np.int64]) -> None:
        """Append later observations, at least one, and when each expires."""
        start = len(self._waiting_us.view)
        # A reader looks the generations up first, and so finds all of the others for them.
        self._expires_us.extend(expires_us)
        self._waiting_us.extend(expires_us)
        end = len(self._waiting_us.view)
        known, needed = len(self._least_us.view), -(-end // _BLOCK_ROWS)
        if needed > known:
            self._least_us.extend(np.full(needed - known, NEVER_US, np.int64))
        for block in range(start // _BLOCK_ROWS, needed):
            self._note_least(block)
        self._generations.extend(generations)
        self.soonest_us = min(self.soonest_us, int(expires_us.min()))

    def waiting(self, now_us: int) -> NDArray[np.int64]:
        """Return the observations that are due at `now_us`: int64, ascending. Some may have been over for long."""
        if now_us < self.soonest_us:
            return NOTHING
        generations = self._generations.view
        places = self._places(now_us)
        found: NDArray[np.int64] = generations[places[: int(np.searchsorted(places, len(generations)))]]
        return found

    def expired(self, now_us: int, first: int, last: int) -> NDArray[np.int64]:
        """Return all from `first` to `last` that have been due at `now_us`, however long ago: int64, ascending."""
        generations = self._generations.view
        start, end = np.searchsorted(generations, [first, last + 1]).tolist()
        found: NDArray[np.int64] = generations[start:end][self._expires_us.view[start:end] <= now_us]
        return found

    def is_due(self, generation: int, now_us: int) -> bool:
        """Return whether an observation is due at `now_us`."""
        generations = self._generations.view
        place = int(np.searchsorted(generations, generation))
        if place == len(generations) or int(generations[place]) != generation:
            return False
        return int(self._expires_us.view[place]) <= now_us

    def are_due(self, generations: NDArray[np.int64], now_us: int) -> NDArray[np.bool_]:
        """Return which of some observations, in any order, are due at `now_us`: shape ``(n,)``."""
        known = self._generations.view
        places = np.searchsorted(known, generations)
        due: NDArray[np.bool_] = places < len(known)
        due[due] = known[places[due]] == generations[due]
        due[due] = self._expires_us.view[places[due]] <= now_us
        return due

    def settle(self, now_us: int, generation: int, is_alive: Keeps) -> None:
        """Have `waiting` pass over what is due at `now_us`, and not alive any more at `generation` or later.

        Parameters
        ----------
        is_alive
            Returns which of some generations are alive at `generation`.
        """
        if now_us < self.soonest_us:
            return
        # First, so that whoever reads as of an earlier generation knows that he has to look at all.
        self.settled_generation = max(self.settled_generation, generation)
        places = self._places(now_us)
        over = places[~is_alive(self._generations.view[places])]
        self._waiting_us.view[over] = NEVER_US
        for block in np.unique(over // _BLOCK_ROWS).tolist():
            self._note_least(block)
        self.soonest_us = int(self._least_us.view.min())

    def kept(self, keeps: Keeps) -> ExpiringRows:
        """Return a copy with those that stay."""
        fewer = ExpiringRows()
        fewer.settled_generation = self.settled_generation
        stays = keeps(self._generations.view)
        if stays.any():
            fewer.extend(self._generations.view[stays], self._expires_us.view[stays])
        return fewer

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return sum(array.nbytes for array in (self._generations, self._expires_us, self._waiting_us, self._least_us))

    def _places(self, now_us: int) -> NDArray[np.int64]:
        """Return the places of what waits and is due: int64, ascending."""
        waiting, blocks = self._waiting_us.view, np.flatnonzero(self._least_us.view <= now_us)
        if len(blocks) > _BLOCKS_ALONE_MAX:
            return np.flatnonzero(waiting <= now_us).astype(np.int64)
        parts = [NOTHING]
        for begin in (blocks * _BLOCK_ROWS).tolist():
            parts.append(begin + np.flatnonzero(waiting[begin : begin + _BLOCK_ROWS] <= now_us))
        return np.concatenate(parts)

    def _note_least(self, block: int) -> None:
        begin = block * _BLOCK_ROWS
        self._least_us.view[block] = self._waiting_us.view[begin : begin + _BLOCK_ROWS].min()

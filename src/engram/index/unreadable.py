"""Versions that an index lacks, because their vectors could not be read when it was built."""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.index.checks import WORD_BITS

_NONE: Final = np.empty(0, np.int64)


class UnreadableVersions:
    """The versions of an index whose vectors could not be read when they were to be appended.

    Nobody knows how near they are to anything. So whatever might find one of them reports it, as it reports a vector
    that no longer matches its checksum. They count as published. Any thread may call the methods; readers take no lock.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        # The generations, rising, and what ends each of them, 0 while it is alive. Both are replaced together, and an
        # array never changes.
        self._versions: tuple[NDArray[np.int64], NDArray[np.int64]] = _NONE, _NONE

    def __len__(self) -> int:
        return len(self._versions[0])

    def add(self, generations: NDArray[np.int64]) -> None:
        """Add versions, which are alive: int64, shape ``(n,)``."""
        with self._changing:
            known, ends = self._versions
            fresh = np.setdiff1d(generations, known)
            every = np.concatenate([known, fresh])
            order = np.argsort(every)
            self._versions = every[order], np.concatenate([ends, np.zeros_like(fresh)])[order]

    def end(self, versions: NDArray[np.int64], at: NDArray[np.int64]) -> int:
        """End those of `versions` that are among them, and return how many were alive; the first end of each counts.

        Parameters
        ----------
        versions, at
            int64, shape ``(n,)``: the versions, and the generation that ends each of them.
        """
        if not len(self):
            return 0
        with self._changing:
            generations, ends = self._versions
            _, places, given = np.intersect1d(generations, versions, return_indices=True)
            alive = ends[places] == 0
            ends = ends.copy()
            ends[places[alive]] = at[given[alive]]
            self._versions = generations, ends
        return int(np.count_nonzero(alive))

    def drop(self, versions: NDArray[np.int64]) -> None:
        """Forget versions that were erased: int64, shape ``(n,)``."""
        with self._changing:
            self._keep(~np.isin(self._versions[0], versions))

    def drop_ended(self, horizon: int) -> None:
        """Forget the versions that ended at or before `horizon`."""
        with self._changing:
            ends = self._versions[1]
            self._keep((ends == 0) | (ends > horizon))

    def seen(
        self, snapshot: int, allowed: NDArray[np.uint64] | None = None, allowed_begin: int = 0
    ) -> NDArray[np.int64]:
        """Return those that are alive at `snapshot`, and allowed: int64, shape ``(n,)``, rising.

        Parameters
        ----------
        snapshot
            The generation of a search.
        allowed, allowed_begin
            The bitmap of a search, as for `HnswIndex.search`; None: all are allowed.
        """
        generations, ends = self._versions
        if not len(generations):
            return generations
        seen = (generations <= snapshot) & ((ends == 0) | (ends > snapshot))
        if allowed is not None:
            seen &= _has(allowed, generations - allowed_begin)
        found: NDArray[np.int64] = generations[seen]
        return found

    def between(self, first: int, last: int) -> NDArray[np.int64]:
        """Return those with generations from `first` to `last`, also ended ones: int64, shape ``(n,)``, rising."""
        generations = self._versions[0]
        begin, end = generations.searchsorted([first, last + 1]).tolist()
        return generations[begin:end]

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        generations, ends = self._versions
        self._versions = generations[kept], ends[kept]


def _has(words: NDArray[np.uint64], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which bits of a bitmap are set; those at places before and behind it are not."""
    is_set = np.zeros(len(places), np.bool_)
    inside = (places >= 0) & (places < WORD_BITS * len(words))
    kept = places[inside]
    bits = words[kept // WORD_BITS] >> (kept % WORD_BITS).astype(np.uint64)
    is_set[inside] = (bits & np.uint64(1)).astype(np.bool_)
    return is_set

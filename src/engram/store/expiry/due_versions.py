"""Which versions are due for a commit, also of those that it makes itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.store.expiry.present import present_us
from engram.store.filters.metadata_index import MetadataIndex


class DueVersions:
    """Tells which versions are due at the time of a commit: for whoever writes after that, they are not alive any more.

    Parameters
    ----------
    attributes
        Knows when the versions expire that are stored.
    last_generation
        The last generation before the commit.
    """

    def __init__(self, attributes: MetadataIndex, last_generation: int) -> None:
        self._attributes = attributes
        self._last_generation = last_generation
        # By first generation, when the rows of a batch of this commit expire; few batches have any that do.
        self._made: list[tuple[int, NDArray[np.int64]]] = []
        self._now_us = 0

    @property
    def may_be(self) -> bool:
        """Whether anything expires at all."""
        return bool(self._made) or self._attributes.expiring is not None

    def add(self, first_generation: int, expires_us: NDArray[np.int64]) -> None:
        """Note when the rows of a batch expire that this commit stores: int64, one for each."""
        self._made.append((first_generation, expires_us))

    def __contains__(self, generation: int) -> bool:
        """Return whether a version is due; 0 stands for none."""
        # The time of the first question is that of all, and later than whatever was queued for this commit.
        self._now_us = self._now_us or present_us()
        if generation <= self._last_generation:
            return self._attributes.is_due(generation, self._now_us)
        for first, expires_us in self._made:
            if first <= generation < first + len(expires_us):
                return bool(expires_us[generation - first] <= self._now_us)
        return False

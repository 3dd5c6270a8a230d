"""Which versions are due when a commit is planned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engram.model.observations import ObservationBatch
from engram.model.values.expiry import expires
from engram.store.filters.metadata_index import MetadataIndex


class DueVersions:
    """The versions that are due at the time of a commit. For whoever writes, these are not alive any more.

    Parameters
    ----------
    attributes
        Knows when what is stored expires.
    now_us
        The time, microseconds since 1970 UTC.
    """

    def __init__(self, attributes: MetadataIndex, now_us: int) -> None:
        self._attributes = attributes
        self._now_us = now_us
        # Of what the commit stores, which was due before.
        self._stored: set[int] = set()

    def add(self, batch: ObservationBatch, first_generation: int) -> None:
        """Note a batch that the commit stores under the generations from `first_generation` on."""
        if batch.expires_us is not None:
            due = expires(batch.expires_us) & (batch.expires_us <= self._now_us)
            self._stored.update((first_generation + np.flatnonzero(due)).tolist())

    def without(self, generations: Sequence[int]) -> list[int]:
        """Return `generations` with 0 in the place of those that are due."""
        left = self._attributes.without_due(generations, self._now_us)
        if not self._stored:
            return left
        return [0 if generation in self._stored else generation for generation in left]

"""The removal of what has expired: by deletions, a part at a time, so that snapshots of the past stay true."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError, FailedPrecondition, OverCapacity, Unavailable
from engram.model.limits import BATCH_COUNT_MAX
from engram.store.age_clock import AgeClock
from engram.store.commit.queue import CommitResult
from engram.store.commit.tail_budget import SpaceRests
from engram.store.expiry.present import present_us
from engram.store.scans.runs import readable_ids
from engram.store.space_state import SpaceState

REMOVED_PER_ROUND: Final = 50_000
"""Observations of a space that are removed in one round of the housekeeping at most."""

BELIEVED_AFTER_S: Final = 3600.0
"""Seconds after which a time of day that has jumped ahead is believed for a removal."""

Answer = Callable[[CommitResult | EngramError], None]
Delete = Callable[[Sequence[str], Sequence[int], Answer], None]
"""Queues the deletion of ids, as far as their live versions still have these generations."""


class ExpiryRemoval:
    """Removes what has expired in one space. The housekeeping thread alone uses it.

    What is due is hidden at once, by the time of day. It is removed by a clock that believes a jump ahead only once it
    has lasted: a clock that is wrong for a while hides what it should not, and gives it back.

    Parameters
    ----------
    state
        State of the space.
    """

    def __init__(self, state: SpaceState) -> None:
        self._state = state
        self._numbers = itertools.count()
        # The committer thread takes them out.
        self._unanswered: set[int] = set()
        # Observations whose ids are damaged. They stay hidden, and nothing else waits for them.
        self._unreadable: set[int] = set()

    def remove(self, clock: AgeClock, delete: Delete) -> None:
        """Queue the deletion of what is due, unless what was queued before is still under way."""
        attributes = self._state.attributes
        if attributes.expiring is None or self._unanswered:
            return
        generation = self._state.index.visible_generation
        now = present_us()
        attributes.settle(now, generation)
        believed = clock.us_ago(BELIEVED_AFTER_S) + round(BELIEVED_AFTER_S * 1e6)
        due = attributes.due(min(now, believed), generation, generation)
        if self._unreadable and len(due):
            due = due[~np.isin(due, list(self._unreadable))]
        due = due[:REMOVED_PER_ROUND]
        for start in range(0, len(due), BATCH_COUNT_MAX):
            try:
                self._remove(due[start : start + BATCH_COUNT_MAX], generation, delete)
            except (OverCapacity, Unavailable, FailedPrecondition, SpaceRests):
                # The space is busy, full, about to rest, or something was erased just now. The next round goes on.
                return

    def _remove(self, versions: NDArray[np.int64], generation: int, delete: Delete) -> None:
        with self._state.log.as_of(generation):
            found = readable_ids(self._state.log, versions)
        if found.damage is not None:
            self._unreadable |= set(versions.tolist()) - set(found.generations.tolist())
        if not found.ids:
            return
        number = next(self._numbers)
        self._unanswered.add(number)
        try:
            delete(found.ids, found.generations.tolist(), lambda outcome: self._unanswered.discard(number))
        except BaseException:
            self._unanswered.discard(number)
            raise

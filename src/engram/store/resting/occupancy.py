"""Who uses an open space: whether it may come to rest."""

from __future__ import annotations

import threading

from engram.store.commit.tail_budget import TailBudget
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.recall.retention import Retention
from engram.store.subscriptions.registry import Subscriptions


class Occupancy:
    """The uses of an open space. Any thread may call any method.

    A space is in use as long as it is held, has a snapshot or a standing recall, or has something to commit, to link or
    to save. A recall is no use: it goes on with the state it has begun with, also if the space comes to rest meanwhile.

    Parameters
    ----------
    tail, indexing, subscriptions, retention
        Parts of the space that know of uses.

    Attributes
    ----------
    touched
        Whether the space was used since somebody last set this to False. Whoever uses the space sets it to True.
    rests
        Whether the space has come to rest. This is final: another engine takes its place.
    """

    def __init__(
        self, tail: TailBudget, indexing: IndexMaintenance, subscriptions: Subscriptions, retention: Retention
    ) -> None:
        self.touched: bool = True
        self.rests: bool = False
        self._tail = tail
        self._indexing = indexing
        self._subscriptions = subscriptions
        self._retention = retention
        self._guard = threading.Lock()
        self._holders = 0

    def hold(self) -> bool:
        """Keep the space from coming to rest until `release`; return False, and do nothing, if it rests already."""
        with self._guard:
            if self.rests:
                return False
            self._holders += 1
            return True

    def release(self) -> None:
        """Take back one `hold`."""
        with self._guard:
            self._holders -= 1

    def retire(self) -> bool:
        """Let the space come to rest, unless it is in use; return whether it rests now. Does not wait for anything."""
        with self._guard:
            if self._holders or self._retention.is_held or not self._indexing.is_settled or not self._tail.retire():
                return False
            if not self._subscriptions.retire() or not self._indexing.retire():
                self._tail.unretire()
                return False
            self.rests = True
            return True

"""Who uses an open space: whether it may come to rest."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engram.store.commit.tail_budget import TailBudget
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.recall.retention import Retention
from engram.store.subscriptions.registry import Subscriptions


class Occupancy:
    """The uses of an open space. Any thread may call any method.

    A space is in use as long as it is held, has a snapshot or a standing recall, or has something to commit, to link or
    to save. A recall is no use: it goes on with the state it has begun with, also if the space comes to rest meanwhile.
    What compacts or checks the files of a space is one, because whoever opens it next may compact them, too.

    Parameters
    ----------
    tail, indexing, subscriptions, retention
        Parts of the space that know of uses.

    Attributes
    ----------
    touched
        Whether the space was used since somebody last set this to False. Whoever uses the space sets it to True.
    rests
        Whether the space has come to rest, or its life has ended. This is final: another engine takes its place, if any
        does.
    when_left
        Called when no thread of the store works on the space any more, on the last of these threads; None: nobody is.
    """

    def __init__(
        self, tail: TailBudget, indexing: IndexMaintenance, subscriptions: Subscriptions, retention: Retention
    ) -> None:
        self.touched: bool = True
        self.rests: bool = False
        self.when_left: Callable[[], None] | None = None
        self._tail = tail
        self._indexing = indexing
        self._subscriptions = subscriptions
        self._retention = retention
        self._guard = threading.Lock()
        self._holders = 0
        self._visitors = 0

    def hold(self, *, visiting: bool = False) -> bool:
        """Keep the space from coming to rest until `release`; return False, and do nothing, if it rests already.

        Parameters
        ----------
        visiting
            Whether a thread of the store works on the space, at its own pace. Another space may be open beside it then,
            so that nobody waits for that.
        """
        with self._guard:
            if self.rests:
                return False
            self._holders += 1
            self._visitors += visiting
            return True

    def release(self, *, visiting: bool = False) -> None:
        """Take back one `hold` with the same argument."""
        with self._guard:
            self._holders -= 1
            self._visitors -= visiting
            when_left = self.when_left if visiting and not self._visitors else None
        if when_left is not None:
            when_left()

    @property
    def is_visited(self) -> bool:
        """Whether a thread of the store works on the space. Takes no lock."""
        return self._visitors > 0

    def retire(self, *, unlinked: bool = False) -> bool:
        """Let the space come to rest, unless it is in use; return whether it rests now. Does not wait for anything.

        Parameters
        ----------
        unlinked
            Whether a little may still have to be linked, which the next opening does.
        """
        with self._guard:
            if self._holders or self._retention.is_held or not self._is_linked(unlinked) or not self._tail.retire():
                return False
            # A commit may have come before the tail was retired; none can any more.
            if self._is_linked(unlinked) and self._subscriptions.retire():
                if self._indexing.retire():
                    self.rests = True
                    return True
                self._subscriptions.unretire()
            self._tail.unretire()
            return False

    def end(self) -> None:
        """Say that the space rests, whoever uses it: its life has ended."""
        with self._guard:
            self.rests = True
            self.when_left = None

    def _is_linked(self, unlinked: bool) -> bool:
        return self._indexing.is_settled or (unlinked and self._indexing.is_linked_again_soon)

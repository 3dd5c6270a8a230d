"""Change feeds: what changes in a space, each change once and in the order of generations (docs/decisions/0030)."""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Callable
from typing import Final

from engram.errors import CorruptData, EngramError
from engram.lifecycle.forking import check_process
from engram.model.following.change import Changes
from engram.model.following.follow_changes import FollowChanges
from engram.store.scans.leases import LEASE_S
from engram.store.space_state import SpaceState
from engram.store.subscriptions.change_reader import ChangeReader

# Generations that are read at once, so that others have their turn, and a batch is not too large.
_STEP: Final = 512
# Steps without a change after which a poll says how far it got.
_STEPS_MAX: Final = 64


class ChangeStream:
    """A change feed of an embedded space, which reads the log; nothing waits in it, however slow its reader is.

    Only one thread takes changes; any thread may close it.

    Parameters
    ----------
    state
        State of the space.
    request
        What is asked for.
    generation
        Generation after which it begins.
    """

    def __init__(self, state: SpaceState, request: FollowChanges, generation: int) -> None:
        self._process = os.getpid()
        self._state = state
        self._reader = ChangeReader(state, request)
        self._generation = generation
        self._changed = threading.Condition()
        self._listener: Callable[[], None] | None = None
        self._failure: EngramError | None = None
        self._closed = False
        self._used_s = time.monotonic()

    def __repr__(self) -> str:
        return f"ChangeStream(generation={self._generation})"

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def generation(self) -> int:
        """Generation up to which everything has been returned."""
        return self._generation

    @property
    def has_changes(self) -> bool:
        """Whether there may be something to poll. Any thread may ask."""
        return not self._closed and self._generation < self._state.index.visible_generation

    @property
    def unread_generation(self) -> int | None:
        """Generation behind which there is something to read; None if there is nothing, or if it is long unused."""
        is_used = time.monotonic() - self._used_s <= LEASE_S
        return self._generation if is_used and self.has_changes else None

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on any thread, whenever there may be something to poll."""
        self._listener = listener
        listener()

    def poll(self) -> Changes:
        """Return some of the next changes without waiting; none if there are none, or none were found for a while.

        Raises
        ------
        CorruptData
            If the next change is damaged, unless damage is skipped. All changes before it have been returned. The next
            call raises the error again.
        FailedPrecondition
            If what it needs is no longer retained, or has been erased (code ``snapshot_expired``); if the space has
            been dropped or renamed.
        """
        check_process(self._process, "change feed")
        self._state.life.check()
        if self._failure is not None:
            raise copy.copy(self._failure)
        self._used_s = time.monotonic()
        for _ in range(_STEPS_MAX):
            first, last = self._generation + 1, min(self._generation + _STEP, self._state.index.visible_generation)
            if first > last or self._closed:
                break
            found = self._read(first, last)
            if found:
                return found
        return Changes((), self._generation, self._reader.incomplete)

    def take(self, until_s: float | None = None) -> Changes | None:
        """Wait for changes and return some of them; None once it is closed.

        Also None if there are none by `until_s`, a time of the monotonic clock in seconds.

        Raises
        ------
        CorruptData, FailedPrecondition
            As for `poll`.
        """
        while not self._closed:
            if found := self.poll():
                return found
            left_s = None if until_s is None else until_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                return None
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self.has_changes, left_s)
        # It may have ended because the space has.
        self._state.life.check()
        return None

    def tell(self) -> None:
        """Say that something has become visible."""
        with self._changed:
            self._changed.notify_all()
        if self._listener is not None:
            self._listener()

    def close(self) -> None:
        """End it; a thread that waits in `take` gets None."""
        self._closed = True
        self.tell()

    def _read(self, first: int, last: int) -> Changes:
        """Read the changes from `first` to `last`, or as far as these can be read, and go on behind them."""
        try:
            last = self._reader.reach(first, last)
            while True:
                try:
                    found = self._reader.read(first, last)
                    break
                except CorruptData:
                    if first == last:
                        raise
                    # What comes before the damage is told first.
                    last = (first + last) // 2
        except EngramError as error:
            if not error.is_transient:
                self._failure = error
            raise
        self._generation = last
        return Changes(found, last, self._reader.incomplete)

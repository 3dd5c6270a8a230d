"""The open spaces of a store: how many there may be, and which of them comes to rest when another one is opened."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from weakref import ref

from engram.errors import FailedPrecondition
from engram.store.resting.left_behind import LeftBehind
from engram.store.resting.open_limit import too_many_open
from engram.store.resting.restable_space import closed_whatever_fails
from engram.store.resting.space_summaries import SpaceSummaries

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine

# How long whoever opens a space waits for another one to come to rest.
_ROOM_TIMEOUT_S: Final = 2.0
_LOOK_S: Final = 0.1
# Spaces that may be opened for work in the background while as many are open as may be.
_BESIDE_MAX: Final = 2


class OpenSpaces:
    """The open spaces of a store by name, and the names of those that rest. Any thread may use it.

    Parameters
    ----------
    open_max
        Maximum number of open spaces; None: no limit, and no space ever rests.
    summaries
        Is told what is known of a space that comes to rest.
    left
        Keeps what it leaves behind.

    Attributes
    ----------
    changed
        The lock of all that follows. It is held for a few steps in memory. Whoever waits for room waits for it.
    settled
        The same lock. Whoever waits for a name that somebody else is busy with waits for it.
    by_name
        The open spaces, about the least recently used first. The future of one that is being opened keeps others off.
    engines
        The results of these futures, for those who take no lock; empty when no space is to be opened any more.
    resting
        The names of the spaces that rest, also while they are opened.
    leaving
        Names that are being given or taken. No space of such a name is opened, or comes to rest.
    is_closed
        Whether no space is to be opened any more.
    came_to_rest
        How often a space came to rest.
    """

    def __init__(self, open_max: int | None, summaries: SpaceSummaries, left: LeftBehind) -> None:
        self.open_max: Final = open_max
        lock = threading.RLock()
        self.changed: Final = threading.Condition(lock)
        self.settled: Final = threading.Condition(lock)
        self.by_name: Final[OrderedDict[str, Future[SpaceEngine]]] = OrderedDict()
        self.engines: Final[dict[str, SpaceEngine]] = {}
        self.resting: Final[set[str]] = set()
        self.leaving: Final[set[str]] = set()
        self.is_closed: bool = False
        self.came_to_rest: int = 0
        self._summaries = summaries
        self._left = left
        # The spaces that are being closed: whoever opens one again waits for its future.
        self._closing: dict[str, Future[None]] = {}
        # The spaces that are being opened and for which there is room; others wait for it, and take none meanwhile.
        self._admitted: set[str] = set()
        # Those that are being opened beside the others.
        self._beside: set[str] = set()
        self._waiting = 0

    def all(self) -> list[SpaceEngine]:
        """Return the open spaces in the order of their names."""
        with self.changed:
            opened = sorted(self.by_name.items())
        return [future.result() for _, future in opened if future.done() and future.exception() is None]

    def take_room(self, name: str, *, beside: bool = False) -> None:
        """Let spaces come to rest until there is room for `name`, and take it.

        Parameters
        ----------
        beside
            Whether it is opened for work in the background: beside the others, of which none rests for it that is in
            use or was used not long ago. Then nothing is waited for.

        Raises
        ------
        OverCapacity
            If too many spaces are in use, for too long where that is waited for.
        FailedPrecondition
            If the store is closed.
        """
        deadline_s = time.monotonic() + (0.0 if beside else _ROOM_TIMEOUT_S)
        is_first = True
        while not self._has_taken_room(name, beside):
            leaving = self._retire_one(is_first=is_first, beside=beside)
            is_first = False
            if leaving is not None:
                self._close(leaving)
                continue
            self._wait_for_room(name, deadline_s - time.monotonic())

    def add(self, name: str, space: SpaceEngine) -> None:
        """Let others use a space that has been opened. The caller holds `changed`."""
        if name in self._beside and self.open_max is not None:
            # That is no use after which it stays open: it rests again, or else it is the next to rest.
            space.occupancy.touched = False
            space.occupancy.when_left = _resting_again(ref(self), name)
            self.by_name.move_to_end(name, last=False)
        self.by_name[name].set_result(space)
        if not self.is_closed:
            self.engines[name] = space
        # As long as it is there, whoever does not wait is told that the space rests.
        self.resting.discard(name)
        self._forget_opening(name)

    def give_up(self, name: str) -> None:
        """Let others open a space that could not be opened. The caller holds `changed`."""
        del self.by_name[name]
        self._forget_opening(name)

    def is_busy(self, name: str) -> bool:
        """Return whether the name is leaving, or its space is being opened or closed. The caller holds `changed`."""
        opened = self.by_name.get(name)
        return name in self.leaving or name in self._closing or (opened is not None and not opened.done())

    def remove(self, name: str) -> SpaceEngine | None:
        """Know a space no more whose name is leaving; return its engine if it is open. The caller holds `changed`."""
        self.resting.discard(name)
        self.engines.pop(name, None)
        opened = self.by_name.pop(name, None)
        return None if opened is None else opened.result()

    def wait_until_closed(self, name: str) -> None:
        """Return when the space is not being closed any more."""
        closing = self._closing.get(name)
        if closing is not None:
            closing.result()

    def free_descriptors(self) -> bool:
        """Close a space that is not in use, because the process has too many files open; return whether one was."""
        leaving = None if self.open_max is None else self._retire_one(is_first=False, beside=False)
        if leaving is None:
            return False
        self._close(leaving)
        return True

    def rest_again(self, name: str) -> None:
        """Let a space rest that was opened for work in the background, unless somebody has used it meanwhile."""
        with self.changed:
            opened = self.by_name.get(name)
            if opened is None or self.is_busy(name):
                return
            space = opened.result()
            if space.occupancy.touched:
                space.occupancy.when_left = None
                return
            if not self._take_out(name, space, unlinked=True):
                return
        self._close(space)

    def look_for_room(self) -> None:
        """Wake somebody who waits for a space to come to rest, because one may have become idle."""
        if self._waiting:
            with self.changed:
                self.changed.notify()

    def close(self) -> None:
        """Refuse to open, drop or rename spaces; return when no thread is doing so, or closes one, any more."""
        with self.changed:
            self.is_closed = True
            self.engines.clear()
            self.changed.notify_all()
            self.settled.notify_all()
            self.settled.wait_for(lambda: not self.leaving)
            opening, closing = list(self.by_name.values()), list(self._closing.values())
        wait(opening)
        # Whoever was admitted before may have closed another one meanwhile.
        with self.changed:
            closing += self._closing.values()
        wait(closing)

    def _has_taken_room(self, name: str, beside: bool) -> bool:
        """Take room for one more space, unless too many are open, without those on which threads of the store work."""
        with self.changed:
            opened = [one.result() for one in self.by_name.values() if one.done()]
            taken = len(self._admitted) + len(self._closing)
            if beside:
                taken += len(self._beside) + len(opened) - _BESIDE_MAX
            else:
                taken += sum(not one.occupancy.is_visited for one in opened)
            if self.open_max is not None and taken >= self.open_max:
                return False
            (self._beside if beside else self._admitted).add(name)
            return True

    def _forget_opening(self, name: str) -> None:
        self._admitted.discard(name)
        self._beside.discard(name)
        self.settled.notify_all()

    def _wait_for_room(self, name: str, left_s: float) -> None:
        with self.changed:
            if self.is_closed:
                raise FailedPrecondition("the store is closed", code="closed")
            if left_s <= 0 and self.open_max is not None:
                raise too_many_open(name, self.open_max)
            self._waiting += 1
            try:
                # The workers wake this thread; other uses end unheard.
                self.changed.wait(min(_LOOK_S, left_s))
            finally:
                self._waiting -= 1

    def _retire_one(self, *, is_first: bool, beside: bool) -> SpaceEngine | None:
        """Take an open space that is not in use out, if there is one: about the least recently used.

        Parameters
        ----------
        is_first
            Whether the caller looks for the first time. Each opening passes all spaces once, however often it looks.
        beside
            As for `take_room`: no space counts as passed then.
        """
        with self.changed:
            # In the first pass, a space that was used since it was last passed is passed again, and goes to the end. In
            # the last one, a little may still have to be linked, which takes long on a machine that is busy otherwise.
            for number in range(1 if beside else 3):
                for name, future in list(self.by_name.items()):
                    if not future.done() or name in self.leaving:
                        continue
                    space = future.result()
                    if space.occupancy.touched and not number:
                        if is_first and not beside:
                            space.occupancy.touched = False
                            self.by_name.move_to_end(name)
                    elif self._take_out(name, space, unlinked=beside or number == 2):
                        return space
        return None

    def _take_out(self, name: str, space: SpaceEngine, *, unlinked: bool) -> bool:
        """Take a space out, to be closed, unless it is in use; return whether it is. The caller holds `changed`."""
        if not space.retire(unlinked=unlinked):
            return False
        # In this order: whoever looks without the lock finds it in one of the two.
        self.resting.add(name)
        self.engines.pop(name, None)
        del self.by_name[name]
        self._closing[name] = Future()
        with suppress(MemoryError):
            # From here on it is not listed, so that its counters must be.
            self._left.counters.note(name, space.counters())
        return True

    def _close(self, space: SpaceEngine) -> None:
        """Close a space that was taken out; from then on it rests, whatever fails."""
        name = space.config.name
        try:
            with closed_whatever_fails(name):
                self._rest(space)
        finally:
            with self.changed:
                self.came_to_rest += 1
                closing = self._closing.pop(name)
                # There is room for one more.
                self.changed.notify()
                self.settled.notify_all()
            closing.set_result(None)

    def _rest(self, space: SpaceEngine) -> None:
        try:
            self._summaries.note(space.summary())
            space.health.look()
        finally:
            # Whatever is not known of it, nobody may write to it any more.
            try:
                space.rest()
            finally:
                self._left.note(space)


def _resting_again(weak: ref[OpenSpaces], name: str) -> Callable[[], None]:
    """Return a function that does not keep the store alive: whoever checks a space keeps what knows of its uses."""

    def rest_again() -> None:
        opened = weak()
        if opened is not None:
            opened.rest_again(name)

    return rest_again
